/** The TypeScript of the documentation compiles. What it shows of the Next.js example, that one's build checks. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import ts from 'typescript';
import { ROOT } from './support/server.js';

const FOLDER = join(ROOT, 'clients/typescript');
const PAGES = ['docs/frontend.md', 'clients/typescript/README.md'];
const SNIPPET = /^```tsx?\n(?!\/\/ \S+\.tsx?\n)(.*?)^```$/gms;

const snippets = PAGES.flatMap((page) =>
  [...readFileSync(join(ROOT, page), 'utf8').matchAll(SNIPPET)].map(([, text], at) => ({ name: `${page}, snippet ${at + 1}`, text: text! })),
);

/** What the compiler says of some snippets, each a module of its own behind the prelude. */
function complaints(all: readonly { name: string; text: string }[]): string[] {
  const config = join(FOLDER, 'tsconfig.test.json');
  const { options } = ts.parseJsonConfigFileContent(ts.readConfigFile(config, ts.sys.readFile).config, ts.sys, FOLDER);
  const files = new Map(all.map(({ text }, at) => [join(FOLDER, 'test', `snippet-${at}.tsx`), `${text}\nexport {};\n`]));
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (path) => files.has(path) || fileExists(path);
  host.readFile = (path) => files.get(path) ?? readFile(path);
  host.getSourceFile = (path, how, ...rest) => {
    const text = files.get(path);
    return text === undefined ? getSourceFile(path, how, ...rest) : ts.createSourceFile(path, text, how);
  };
  const prelude = join(FOLDER, 'test/support/prelude.d.ts');
  const program = ts.createProgram([prelude, ...files.keys()], { ...options, noEmit: true, noUnusedLocals: false }, host);
  return ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
    const at = [...files.keys()].indexOf(file?.fileName ?? '');
    return `${all[at]?.name ?? file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}

test('the snippets of the documentation compile, and a wrong one does not', () => {
  assert.ok(snippets.length >= 3, 'there are snippets');
  const wrong = { name: 'a wrong one', text: "await client.sessions.crate({ name: 'Parlour' });" };
  const said = complaints([...snippets, wrong]);
  assert.deepEqual(said.filter((one) => !one.startsWith('a wrong one')), []);
  assert.match(said.join(), /a wrong one: Property 'crate' does not exist/);
});
