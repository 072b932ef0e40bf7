const { rspack } = require('@rspack/core');

module.exports = {
  // Some libraries would carry the folder in which this was built into the assets.
  plugins: [new rspack.DefinePlugin({ 'import.meta.url': '""' })],
  // Numbers would depend on that folder too: the same bytes come from any checkout.
  // A module that was joined to another is missing in third-party-licenses.json.
  optimization: { moduleIds: 'named', chunkIds: 'named', concatenateModules: false }
};
