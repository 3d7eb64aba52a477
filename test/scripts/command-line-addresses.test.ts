import { describe, expect, it } from 'vitest';
import { createProgram } from '../../cli/program.ts';
import { SILENT_IO } from '../support/silent-io.ts';
import { commandLineAddresses } from '../../scripts/command-line-addresses.ts';

describe('commandLineAddresses', () => {
  it('says nothing where the command line looks anyway', () => {
    const program = createProgram(SILENT_IO);
    const batches = program.commands.find((command) => command.name() === 'batches');
    const usual = (
      options: readonly { readonly long?: string | undefined; readonly defaultValue?: unknown }[],
      long: string,
    ) => String(options.find((option) => option.long === long)?.defaultValue);
    const adminUrl = usual(program.options, '--admin-url');
    const url = usual(batches?.options ?? [], '--base-url').replace(/\/v1$/, '');
    expect(commandLineAddresses({ adminUrl, url })).toEqual([]);
  });

  it('says what to type for other ports', () => {
    expect(commandLineAddresses({ url: 'http://127.0.0.1:9000', adminUrl: 'http://127.0.0.1:9001' })).toEqual([
      'export FLATLANE_ADMIN_URL=http://127.0.0.1:9001',
      'export FLATLANE_BASE_URL=http://127.0.0.1:9000/v1',
    ]);
  });
});
