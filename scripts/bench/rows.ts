/** A row of about 1 KB, as real ones are. */
const ROW_TEXT = 'Classify the sentiment of this review in one word. '.repeat(18);

/** The input of a batch, and what its rows are called. */
export function benchRows(count: number, model: string): { readonly ids: string[]; readonly lines: string[] } {
  const ids = Array.from({ length: count }, (_, index) => `row-${index + 1}`);
  const lines = ids.map((id) =>
    JSON.stringify({
      custom_id: id,
      method: 'POST',
      url: '/v1/chat/completions',
      body: { model, messages: [{ role: 'user', content: `${ROW_TEXT} id=${id}` }] },
    }),
  );
  return { ids, lines };
}
