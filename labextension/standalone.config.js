/* Bundle the viewer into one file that any page can hold: `node standalone.config.js`. */
const path = require('path');
const { rspack } = require('@rspack/core');

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
