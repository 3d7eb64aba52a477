import { randomUUID } from 'node:crypto';
import type { Account } from './account.ts';

const TOKEN_LIFETIME_SECONDS = 864_000;
const AUTH_CLAIM = 'https://api.openai.com/auth';

/** What `POST /oauth/token` answers. The tokens look like the real ones; their signature is none. */
export function issueTokens(account: Account): Record<'id_token' | 'access_token' | 'refresh_token', string> {
  const issuedAt = Math.floor(Date.now() / 1000);
  const common = { iat: issuedAt, exp: issuedAt + TOKEN_LIFETIME_SECONDS, jti: randomUUID() };
  const auth = {
    chatgpt_plan_type: account.plan().planType,
    chatgpt_user_id: `user-${account.alias}`,
    chatgpt_account_id: account.id,
  };
  const profile = { email: account.email };
  return {
    id_token: unsignedJwt({
      ...common,
      sub: `user-${account.alias}`,
      email: account.email,
      [AUTH_CLAIM]: auth,
      'https://api.openai.com/profile': profile,
    }),
    access_token: unsignedJwt({ ...common, generation: account.tokenGeneration(), [AUTH_CLAIM]: auth }),
    refresh_token: `rt.${account.alias}.${randomUUID()}`,
  };
}

function unsignedJwt(claims: object): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  return `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode(claims)}.c3RhbmQtaW4`;
}

/** The alias in a refresh token; undefined for one that no stand-in wrote. */
export function aliasOfRefreshToken(token: string): string | undefined {
  const [kind, alias] = token.split('.');
  return kind === 'rt' ? alias : undefined;
}

interface AccessClaims {
  readonly generation?: number;
  readonly [AUTH_CLAIM]?: { readonly chatgpt_account_id?: string };
}

/** A personal access token of an account, as its owner makes one in the browser. */
export function personalAccessToken(alias: string): string {
  return `at-${alias}`;
}

/** Whose access token an `Authorization` header holds, and of which generation; undefined for none. */
export function readAccessToken(header: string | undefined): { accountId: string; generation: number } | undefined {
  const personal = /^Bearer at-([a-z0-9]+)$/.exec(header ?? '')?.[1];
  if (personal !== undefined) return { accountId: `acct-${personal}`, generation: 0 };
  const payload = header?.split('.')[1];
  if (payload === undefined) return undefined;
  try {
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as AccessClaims;
    const accountId = claims[AUTH_CLAIM]?.chatgpt_account_id;
    return accountId === undefined ? undefined : { accountId, generation: claims.generation ?? 0 };
  } catch {
    return undefined;
  }
}
