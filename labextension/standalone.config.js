/* Bundle the viewer into one file that any page can hold: `node standalone.config.js`. */
const path = require('path');
const { Compilation, rspack } = require('@rspack/core');
const licenses = require('../nbagents/labextension/static/third-party-licenses.json');

// The page that holds the viewer is given away, and what it is made of asks to be named there.
const notices = licenses.packages.map(
  each => `${each.name} ${each.versionInfo} (${each.licenseId})\n\n${each.extractedText.trim()}`
);

const compiler = rspack({
  mode: 'production',
  context: __dirname,
  entry: './lib/standalone.js',
  target: ['web', 'es2022'],
  devtool: false,
  output: { path: path.join(__dirname, '../nbagents/notebook/static'), filename: 'viewer.js' },
  module: {
    rules: [{ test: /\.css$/, use: ['style-loader', 'css-loader'], type: 'javascript/auto' }]
  },
  plugins: [
    new rspack.BannerPlugin({
      banner: notices.join('\n\n'),
      footer: true,
      stage: Compilation.PROCESS_ASSETS_STAGE_REPORT
    })
  ],
  optimization: { moduleIds: 'named', chunkIds: 'named' },
  performance: { hints: false }
});

compiler.run((error, stats) => {
  if (error || stats.hasErrors()) {
    console.error(error ?? stats.toString('errors-only'));
    process.exitCode = 1;
  }
  compiler.close(() => undefined);
});
