// Writes src/generated/ from the OpenAPI and AsyncAPI documents; with --check only says what is out of date.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { documents } from './documents.mjs';

const OUT = resolve(dirname(fileURLToPath(import.meta.url)), '../src/generated');
const HEAD = '// Written by `npm run generate` from the OpenAPI and AsyncAPI documents. Do not edit.\n';

const { openapi, asyncapi } = await documents();
const files = { 'schemas.ts': schemas(), 'operations.ts': operations(), 'events.ts': events() };
let stale = 0;
for (const [name, text] of Object.entries(files)) {
  const path = resolve(OUT, name);
  if (!process.argv.includes('--check')) writeFileSync(path, text);
  else if (read(path) !== text) {
    stale += 1;
    console.error(`src/generated/${name} is out of date: run \`npm run generate\``);
  }
}
process.exitCode = stale ? 1 : 0;

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

// --- Types ------------------------------------------------------------------------------------------------------

/** A JSON Schema as a TypeScript type. */
function type(schema, indent = '') {
  if (!schema || Object.keys(schema).length === 0) return 'unknown';
  if (schema.$ref) return schema.$ref.split('/').pop();
  if (schema.allOf) return schema.allOf.map((part) => type(part, indent)).join(' & ');
  if (schema.anyOf ?? schema.oneOf) return [...new Set((schema.anyOf ?? schema.oneOf).map((part) => type(part, indent)))].join(' | ');
  if ('const' in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (Array.isArray(schema.type)) return schema.type.map((one) => type({ ...schema, type: one }, indent)).join(' | ');
  switch (schema.type) {
    case 'integer':
    case 'number':
      return 'number';
    case 'array': {
      if (Array.isArray(schema.items)) return `[${schema.items.map((item) => type(item, indent)).join(', ')}]`;
      const item = type(schema.items, indent);
      return item.includes('|') || item.includes('{') ? `Array<${item}>` : `${item}[]`;
    }
    case 'object':
      if (schema.properties) return `{\n${fields(schema, `${indent}  `)}${indent}}`;
      if (schema.additionalProperties) return `Record<string, ${type(schema.additionalProperties, indent)}>`;
      return schema.required ? 'Record<string, never>' : 'Record<string, unknown>';
    default:
      return schema.type ?? 'unknown';
  }
}

function fields(schema, indent) {
  const needed = new Set(schema.required ?? []);
  return Object.entries(schema.properties)
    .map(([name, field]) => {
      const key = /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
      return `${comment(words(field), indent)}${indent}${key}${needed.has(name) ? '' : '?'}: ${type(field, indent)};\n`;
    })
    .join('');
}

function words(field) {
  const bounds = [];
  if (field.minimum !== undefined && field.maximum !== undefined && field.maximum < 2 ** 53) bounds.push(`${field.minimum}–${field.maximum}.`);
  if (field.maxLength !== undefined) bounds.push(`At most ${field.maxLength} characters.`);
  if (field.format === 'date-time') bounds.push('RFC 3339, UTC.');
  return [field.description, ...bounds].filter(Boolean).join(' ');
}

function comment(text, indent = '') {
  const line = (text ?? '').replace(/\s+/g, ' ').replaceAll('*/', '* /').trim();
  return line ? `${indent}/** ${line} */\n` : '';
}

/** All named shapes of both documents. Where both have one, the AsyncAPI's says more; they must have the same fields. */
function schemas() {
  const rest = openapi.components.schemas;
  const live = asyncapi.components.schemas;
  for (const name of Object.keys(rest).filter((name) => name in live)) {
    const [a, b] = [rest[name], live[name]].map((schema) => Object.keys(schema.properties ?? {}).sort().join());
    if (a !== b) throw new Error(`the documents disagree about ${name}: ${a} / ${b}`);
  }
  const all = { ...rest, ...live };
  const parts = Object.keys(all)
    .sort()
    .map((name) => {
      const schema = all[name];
      const body = schema.type === 'object' && schema.properties;
      const head = comment(schema.description);
      if (!body) return `${head}export type ${name} = ${type(schema)};\n`;
      if (Object.keys(body).length === 0) return `${head}export type ${name} = Record<string, never>;\n`;
      return `${head}export interface ${name} {\n${fields(schema, '  ')}}\n`;
    });
  return `${HEAD}\n${parts.join('\n')}`;
}

// --- REST -------------------------------------------------------------------------------------------------------

/** Each operation: its method and path as a value, its parameters and answers as types. */
function operations() {
  const table = [];
  const shapes = [];
  for (const [path, methods] of Object.entries(openapi.paths)) {
    const known = ['get', 'post', 'put', 'patch', 'delete'].filter((method) => methods[method]);
    for (const [method, operation] of known.map((method) => [method, methods[method]])) {
      const id = operation.operationId;
      if (!id || !path.startsWith('/api/')) continue;
      const query = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query');
      const names = query.map((parameter) => `'${parameter.name}'`).join(', ');
      table.push(`  ${id}: { method: '${method.toUpperCase()}', path: '${path}', query: [${names}] },\n`);
      const body = operation.requestBody?.content?.['application/json']?.schema;
      const good = Object.entries(operation.responses)
        .filter(([status]) => status.startsWith('2'))
        .map(([, response]) => type(response.content?.['application/json']?.schema));
      const asked = {
        properties: Object.fromEntries(query.map((one) => [one.name, { ...one.schema, description: one.description }])),
        type: 'object',
      };
      shapes.push(
        `${comment(operation.summary ?? operation.description, '  ')}  ${id}: {\n` +
          `    query: ${query.length ? type(asked, '    ') : 'Record<string, never>'};\n` +
          `    body: ${body ? type(body, '    ') : 'undefined'};\n` +
          `    answer: ${[...new Set(good)].join(' | ') || 'undefined'};\n  };\n`,
      );
    }
  }
  const used = named(shapes.join(''));
  return (
    `${HEAD}\nimport type {\n${used.map((name) => `  ${name},\n`).join('')}} from './schemas.js';\n\n` +
    `/** Where each operation is. */\nexport const OPERATIONS = {\n${table.join('')}} as const;\n\n` +
    `/** What each operation takes and answers with. */\nexport interface Operations {\n${shapes.join('')}}\n`
  );
}

/** The named shapes that a piece of source refers to. */
function named(source) {
  const all = new Set([...Object.keys(openapi.components.schemas), ...Object.keys(asyncapi.components.schemas)]);
  return [...new Set(source.match(/\b[A-Z]\w*\b/g) ?? [])].filter((name) => all.has(name)).sort();
}

// --- Events -----------------------------------------------------------------------------------------------------

/** The events of both sides, and the tables of error and close codes. */
function events() {
  const sides = { client: [], server: [] };
  const durable = [];
  for (const [name, message] of Object.entries(asyncapi.components.messages)) {
    const [side, event] = name.split('.');
    const payload = message.payload;
    if (payload.properties?.event === undefined) continue;
    sides[side].push(`${comment(message.summary, '  ')}  ${event}: ${type(payload.properties.data)};\n`);
    if (payload.required.includes('seq')) durable.push(event);
  }
  const source = [...sides.client, ...sides.server].join('');
  const codes = asyncapi['x-error-codes'].map((row) => `  ${row.code}: { retryable: ${row.retryable}, httpStatus: ${row.httpStatus} },\n`);
  const closes = asyncapi['x-close-codes'].map((row) => `${comment(row.meaning, '  ')}  ${row.code}: ${row.comesBack},\n`);
  const used = named(source.replace(/\/\*\*.*?\*\//g, ''));
  return (
    `${HEAD}\nimport type {\n${used.map((name) => `  ${name},\n`).join('')}} from './schemas.js';\n\n` +
    `/** What a client may send: event → data. */\nexport interface ClientEvents {\n${sides.client.join('')}}\n\n` +
    `/** What the server sends: event → data. */\nexport interface ServerEvents {\n${sides.server.join('')}}\n\n` +
    `/** The events of the log, which have a \`seq\`. */\nexport const DURABLE_EVENTS = [${durable.map((event) => `'${event}'`).join(', ')}] as const;\n\n` +
    `/** Every error code of the server. */\nexport const ERROR_CODES = {\n${codes.join('')}} as const;\n\n` +
    `/** Close codes that the server sends → whether to come back. */\nexport const CLOSE_CODES: Readonly<Record<number, boolean>> = {\n${closes.join('')}};\n`
  );
}
