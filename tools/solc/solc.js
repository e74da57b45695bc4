#!/usr/bin/env node
// The command line of solc, as far as py-solc-x, ape-solidity and forge use it, over the compiler
// that npm's `solc` packages carry. Start it by a name that ends in the version: solc-v0.8.37.
'use strict';
const fs = require('fs');
const path = require('path');

const NODE_MODULES = path.resolve(path.dirname(fs.realpathSync(__filename)), '../../node_modules');

function fail(message) {
  process.stderr.write(`solc: ${message}\n`);
  process.exit(1);
}

/** The compiler of the version in this program's name, from `solc` or its alias `solc-<version>`. */
function loadCompiler() {
  const [, version] = path.basename(process.argv[1]).match(/-v(\d+\.\d+\.\d+)$/) || [];
  if (!version) fail('start me by a name that ends in a version, such as solc-v0.8.37');
  for (const name of ['solc', `solc-${version}`]) {
    const folder = path.join(NODE_MODULES, name);
    if (!fs.existsSync(path.join(folder, 'package.json'))) continue;
    if (require(path.join(folder, 'package.json')).version !== version) continue;
    const wrap = require(path.join(folder, 'wrapper.js'));
    return (wrap.default || wrap)(require(path.join(folder, 'soljson.js')));
  }
  return fail(`npm's solc ${version} is not installed; run make setup`);
}

/** Unknown options are refused rather than guessed at: a dropped option would change the bytecode. */
function parse(args) {
  const options = { mode: null, input: null, basePath: '.', includePaths: [], allowPaths: [] };
  while (args.length) {
    const [name, inline] = args[0].startsWith('--') ? args.shift().split(/=(.*)/s) : [args.shift()];
    const value = () => {
      const given = inline !== undefined ? inline : args.shift();
      return given === undefined ? fail(`${name} needs a value`) : given;
    };
    if (name === '--version' || name === '--standard-json') options.mode = name;
    else if (name === '--base-path') options.basePath = value();
    else if (name === '--include-path') options.includePaths.push(value());
    else if (name === '--allow-paths') options.allowPaths.push(...value().split(',').filter(Boolean));
    else if (name === '-') options.input = null;
    else if (!name.startsWith('-') && options.input === null) options.input = name;
    else fail(`unknown option ${name}`);
  }
  return options;
}

/** Reads imports as solc does: under the base and include paths, never outside the allowed ones. */
function importReader({ basePath, includePaths, allowPaths }) {
  const roots = [basePath, ...includePaths].map((root) => path.resolve(root));
  const allowed = [...roots, ...allowPaths.map((root) => path.resolve(root))]
    .filter((root) => fs.existsSync(root))
    .map((root) => fs.realpathSync(root));
  const isAllowed = (file) => allowed.some((root) => file === root || file.startsWith(path.join(root, path.sep)));

  return (name) => {
    const found = roots.map((root) => path.resolve(root, name)).find((file) => fs.existsSync(file));
    if (!found) return { error: `File not found: ${name} (searched ${roots.join(', ')})` };
    const file = fs.realpathSync(found);
    if (!isAllowed(file)) return { error: `File outside of allowed directories: ${name}` };
    return { contents: fs.readFileSync(file, 'utf8') };
  };
}

/** One write to a pipe may take only a part, or none while the reader is busy. */
function writeAll(text) {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) {
    try {
      done += fs.writeSync(1, bytes, done);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

const options = parse(process.argv.slice(2));
const compiler = loadCompiler();
if (options.mode === '--version') {
  // py-solc-x reads the commit; a native compiler names its platform where this one says Emscripten.
  const version = compiler.version().replace('Emscripten.clang', 'Linux.g++');
  writeAll(`solc, the solidity compiler commandline interface\nVersion: ${version}\n`);
} else if (options.mode === '--standard-json') {
  const input = fs.readFileSync(options.input === null ? 0 : options.input, 'utf8');
  writeAll(compiler.compile(input, { import: importReader(options) }));
} else {
  fail('give --version or --standard-json');
}
