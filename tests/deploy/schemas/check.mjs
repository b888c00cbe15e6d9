// Reads a JSON list of Kubernetes objects, and prints a JSON list of what is wrong with them: what their validators say,
// and fields that their types do not have, which the validators let through.
import { readFileSync } from 'node:fs';
import ts from 'typescript';

const objects = JSON.parse(readFileSync(0, 'utf8'));
const wrong = [];
const lines = [];

for (const [index, object] of objects.entries()) {
  const [group, version] = object.apiVersion.includes('/') ? object.apiVersion.split('/') : ['', object.apiVersion];
  const path = `kubernetes-models/${group ? `${group}/` : ''}${version}/${object.kind}`;
  const name = `${object.kind} ${object.metadata.name}`;
  try {
    const { [object.kind]: Kind } = await import(path);
    new Kind(object).validate();
  } catch (error) {
    wrong.push(`${name}: ${error.message}`);
  }
  lines.push(`import type { I${object.kind} as T${index} } from '${path}';`);
  lines.push(`export const o${index}: T${index} = ${JSON.stringify(object)};`);
}

const file = new URL('objects.mts', import.meta.url).pathname;
const options = { strict: true, noEmit: true, skipLibCheck: true, module: ts.ModuleKind.Node16, target: ts.ScriptTarget.ES2022 };
const host = ts.createCompilerHost(options);
const read = host.getSourceFile.bind(host);
host.getSourceFile = (path, ...rest) =>
  path === file ? ts.createSourceFile(path, lines.join('\n'), ...rest) : read(path, ...rest);
for (const found of ts.getPreEmitDiagnostics(ts.createProgram([file], options, host))) {
  wrong.push(ts.flattenDiagnosticMessageText(found.messageText, ' '));
}
console.log(JSON.stringify(wrong));
