"""Start ipykernel 7.3 with the mend that 7.4 has for what it loses.

Up to 7.3 the replies are sent past the stream that reads the requests from the same socket, and now
and then a request that comes at that moment is never read: the kernel is idle and answers nothing.
https://github.com/ipython/ipykernel/issues/1554
"""

from __future__ import annotations

from typing import Any

from ipykernel.kernelapp import IPKernelApp, launch_new_instance
from ipykernel.subshell_manager import SubshellManager


def _send(_: SubshellManager, message: Any) -> None:
    IPKernelApp.instance().kernel.shell_stream.send_multipart(message)


SubshellManager._send_on_shell_channel = _send
launch_new_instance()
