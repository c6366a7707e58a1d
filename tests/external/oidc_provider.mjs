// An OpenID provider with clients for each way to prove who one is, and /api, which takes its tokens:
// node oidc_provider.mjs PORT DIRECTORY. Its tokens live for five seconds.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [port, where] = process.argv.slice(2);
const require = createRequire(`${where}/package.json`);
const { default: Provider } = await import(pathToFileURL(require.resolve("oidc-provider")).href);

const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const client = (id, method, more) => ({
  client_id: id,
  token_endpoint_auth_method: method,
  grant_types: ["client_credentials", "authorization_code", "refresh_token", EXCHANGE],
  response_types: ["code"],
  redirect_uris: ["https://client.example.com/back"],
  ...more,
});

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    client("id:b", "client_secret_basic", { client_secret: "s:e c%ret+/=&~*!" }),
    client("post", "client_secret_post", { client_secret: "s:e c%ret+/=&~*!" }),
    client("secret-jwt", "client_secret_jwt", { client_secret: "0123456789abcdef0123456789abcdef" }),
    client("key-jwt", "private_key_jwt", { jwks: JSON.parse(process.env.CLIENT_JWKS) }),
  ],
  features: {
    clientCredentials: { enabled: true },
    revocation: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: { enabled: false },
  },
  cookies: { keys: ["only for tests"] },
  pkce: { required: () => false },
  rotateRefreshToken: true,
  issueRefreshToken: async () => true,
  scopes: ["openid", "offline_access", "read"],
  ttl: { ClientCredentials: 5, AccessToken: 5, RefreshToken: 600, Grant: 600, Session: 600, Interaction: 600, IdToken: 60 },
});

provider.registerGrantType(
  EXCHANGE,
  async (ctx, next) => {
    const { subject_token: subject, scope } = ctx.oidc.params;
    const found = (await provider.ClientCredentials.find(subject)) ?? (await provider.AccessToken.find(subject));
    if (!found) {
      ctx.status = 400;
      ctx.body = { error: "invalid_grant" };
      return next();
    }
    const token = new provider.ClientCredentials({ client: ctx.oidc.client, scope });
    ctx.body = {
      access_token: await token.save(),
      issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
      token_type: "Bearer",
      expires_in: token.expiration,
    };
    return next();
  },
  ["subject_token", "subject_token_type", "scope", "audience", "resource"],
);

let asked = 0;
provider.use(async (ctx, next) => {
  if (ctx.path === "/token") asked += 1;
  if (ctx.path !== "/api") return next();
  const value = (ctx.get("authorization").match(/^Bearer (.+)$/) ?? [])[1];
  const found = value && ((await provider.ClientCredentials.find(value)) ?? (await provider.AccessToken.find(value)));
  if (found && !found.isExpired) {
    ctx.body = { client: found.clientId, account: found.accountId ?? null, scope: found.scope ?? null, asked };
  } else {
    ctx.status = 401;
    ctx.set("WWW-Authenticate", 'Bearer error="invalid_token"');
    ctx.body = { error: "invalid_token" };
  }
});

provider.listen(Number(port), "127.0.0.1");
