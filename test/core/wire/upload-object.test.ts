import { describe, expect, it } from 'vitest';
import { ApiError } from '../../../core/errors.ts';
import { readUploadComplete, readUploadCreate } from '../../../core/wire/upload-object.ts';

const MAX_FILE_BYTES = 1000;

function refusalOf(read: () => unknown): { status: number; code: string | null; param: string | null } {
  try {
    read();
  } catch (error) {
    if (error instanceof ApiError) return { status: error.status, ...error.body.error };
    throw error;
  }
  throw new Error('it was accepted');
}

describe('the request that creates an upload', () => {
  const whole = { filename: 'a.jsonl', purpose: 'batch', bytes: 5, mime_type: 'application/jsonl' };
  it.each([
    ['no name', { filename: undefined }, 'missing_required_parameter', 'filename'],
    ['another extension', { filename: 'a.txt' }, null, 'filename'],
    ['control characters in the name', { filename: 'a\u0000.jsonl' }, 'invalid_value', 'filename'],
    ['half a character in the name', { filename: '\ud800.jsonl' }, 'invalid_value', 'filename'],
    ['a mark that turns the direction of the name', { filename: 'a\u202Etxt.jsonl' }, 'invalid_value', 'filename'],
    ['too long a name', { filename: `${'a'.repeat(250)}.jsonl` }, 'invalid_value', 'filename'],
    ['no purpose', { purpose: undefined }, 'missing_required_parameter', 'purpose'],
    ['another purpose', { purpose: 'assistants' }, 'invalid_value', 'purpose'],
    ['no type', { mime_type: undefined }, 'missing_required_parameter', 'mime_type'],
    ['a type with line breaks', { mime_type: 'a\r\nb' }, 'invalid_value', 'mime_type'],
    ['no size', { bytes: undefined }, 'missing_required_parameter', 'bytes'],
    ['a size that is no number', { bytes: '5' }, 'invalid_type', 'bytes'],
    ['nothing', { bytes: 0 }, 'invalid_value', 'bytes'],
    ['more than a file may have', { bytes: MAX_FILE_BYTES + 1 }, 'invalid_value', 'bytes'],
    ['an expiry that is no object', { expires_after: 3600 }, 'invalid_type', 'expires_after'],
    [
      'too short an expiry',
      { expires_after: { anchor: 'created_at', seconds: 5 } },
      'invalid_value',
      'expires_after.seconds',
    ],
  ])('refuses to create one with %s', (_what, change, code, param) => {
    expect(refusalOf(() => readUploadCreate({ ...whole, ...change }, MAX_FILE_BYTES))).toMatchObject({
      status: 400,
      code,
      param,
    });
  });

  it('is taken with the name without its folders, and the life of the file', () => {
    const expires = { anchor: 'created_at', seconds: 7200 };
    expect(
      readUploadCreate({ ...whole, filename: '../secret\\x.JSONL', expires_after: expires }, MAX_FILE_BYTES),
    ).toEqual({ filename: 'x.JSONL', bytes: 5, mimeType: 'application/jsonl', fileLifeSeconds: 7200 });
  });

  it.each([null, [], 'text', undefined])('is refused as %j', (body) => {
    expect(refusalOf(() => readUploadCreate(body, MAX_FILE_BYTES))).toMatchObject({ status: 400, param: null });
  });
});

describe('the request that completes an upload', () => {
  it.each([
    ['no parts', {}, 'missing_required_parameter', 'part_ids'],
    ['one text', { part_ids: 'part_1' }, 'invalid_type', 'part_ids'],
    ['a number', { part_ids: [1] }, 'invalid_type', 'part_ids'],
    ['an empty list', { part_ids: [] }, 'invalid_value', 'part_ids'],
    ['a part twice', { part_ids: ['part_1', 'part_1'] }, 'invalid_value', 'part_ids'],
    [
      'too many parts',
      { part_ids: Array.from({ length: 1001 }, (_, index) => `part_${index}`) },
      'invalid_value',
      'part_ids',
    ],
    ['a checksum that is a number', { part_ids: ['part_1'], md5: 5 }, 'invalid_type', 'md5'],
    ['a checksum that is none', { part_ids: ['part_1'], md5: 'xyz' }, 'invalid_value', 'md5'],
  ])('refuses to complete with %s', (_what, body, code, param) => {
    expect(refusalOf(() => readUploadComplete(body))).toMatchObject({ status: 400, code, param });
  });

  it('is taken with a checksum in capitals', () => {
    const md5 = 'AB'.repeat(16);
    expect(readUploadComplete({ part_ids: ['part_1'], md5 })).toEqual({ partIds: ['part_1'], md5: md5.toLowerCase() });
  });
});
