"""Teams: agents that hand over to each other, and workflows that say who comes next."""
