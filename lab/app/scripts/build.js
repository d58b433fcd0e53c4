// Turns src/ into dist/: checks the syntax of every file, copies it, and says in dist/build-info.json what was built.
// The output depends on the source alone (no date, no host), so the same source always gives the same dist/.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const root = path.dirname(import.meta.dirname);
const source = path.join(root, 'src');
const target = path.join(root, 'dist');
const { name, version } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));

const files = (await readdir(source, { recursive: true })).filter((file) => file.endsWith('.js')).sort();
const digests = {};
for (const file of files) {
  await promisify(execFile)(process.execPath, ['--check', path.join(source, file)]);
  digests[file] = createHash('sha256').update(await readFile(path.join(source, file))).digest('hex');
}
await rm(target, { recursive: true, force: true });
await cp(source, target, { recursive: true });
await writeFile(path.join(target, 'build-info.json'), `${JSON.stringify({ name, version, files: digests }, null, 2)}\n`);
console.log(`built ${name} ${version}: ${files.length} files in dist/`);
