/** Where `flatlane …` looks unless it is told otherwise. */
const ADMIN_URL = 'http://127.0.0.1:8485';
const API_URL = 'http://127.0.0.1:8484';

/** What to type so that `flatlane …` finds a flatlane that is not at the usual ports; empty where it is. */
export function commandLineAddresses({ url, adminUrl }: { readonly url: string; readonly adminUrl: string }): string[] {
  return [
    ...(adminUrl === ADMIN_URL ? [] : [`export FLATLANE_ADMIN_URL=${adminUrl}`]),
    ...(url === API_URL ? [] : [`export FLATLANE_BASE_URL=${url}/v1`]),
  ];
}
