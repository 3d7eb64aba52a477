/**
 * Text with places for columns: `Translate: {{text}}`. `\{{` stands for two braces that are meant as such, and `\\{{` for a
 * backslash before a place; any other backslash is one. Of three braces in a row the first is text. What is filled in is never looked at for places again.
 */

/** A piece of a template's text: literal, or the name of a column. */
export type TextPiece = string | { readonly column: string };

export type ParsedText =
  | { readonly ok: true; readonly pieces: readonly TextPiece[] }
  | { readonly ok: false; readonly message: string };

/** An escape, or a place with whatever is in it up to the first brace after it. */
const TOKEN = /\\\\(?=\{\{)|\\\{\{|\{\{(?!\{)([^{}]*)(\}\})?/g;

/** Characters of a name that are repeated in an error. */
const QUOTED_CHARACTERS = 100;

/** Splits a text into its pieces. Literals that follow each other are one, and none is empty. */
export function parseTemplateText(text: string): ParsedText {
  const pieces: TextPiece[] = [];
  let literal = '';
  let from = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [token, name, closed] = match;
    literal += text.slice(from, match.index);
    from = match.index + token.length;
    if (name === undefined) {
      literal += token === '\\{{' ? '{{' : '\\';
      continue;
    }
    const column = name.trim();
    if (closed === undefined || column === '') {
      const place = JSON.stringify(token.slice(0, QUOTED_CHARACTERS));
      const why = closed === undefined ? 'is not closed' : 'names no column';
      return { ok: false, message: `the place ${place} ${why}. Braces that are meant as such are written \\{{` };
    }
    if (literal !== '') pieces.push(literal);
    literal = '';
    pieces.push({ column });
  }
  literal += text.slice(from);
  if (literal !== '') pieces.push(literal);
  return { ok: true, pieces };
}
