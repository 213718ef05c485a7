// A real OpenID Connect provider (npm oidc-provider) for the tests: accounts and clients come as JSON in the environment.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const { modules, port, clients, accounts } = JSON.parse(process.env.TEST_PROVIDER);
const { Provider } = await import(pathToFileURL(createRequire(`${modules}/`).resolve('oidc-provider')));
const issuer = `http://127.0.0.1:${port}`;

const provider = new Provider(issuer, {
  clients,
  claims: {
    openid: ['sub', 'sid'],
    email: ['email', 'email_verified'],
    profile: ['name', 'locale', 'groups'],
  },
  findAccount: (_, id) => accounts[id] && { accountId: id, claims: () => ({ sub: id, ...accounts[id] }) },
  // Its own protection refuses to send logout messages to loopback, where the tests' site is.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  pkce: { required: () => true },
  cookies: { keys: ['a key of the tests alone'] },
  features: {
    backchannelLogout: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      getResourceServerInfo: (_, resource) => ({ scope: '', audience: resource, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } }),
    },
  },
  ttl: { ClientCredentials: 600, AccessToken: 600, IdToken: 600, Session: 3600, Interaction: 600, Grant: 3600 },
});

provider.on('backchannel.error', (_, error) => console.error('backchannel', error));
createServer(provider.callback()).listen(port, '127.0.0.1', () => console.log('ready'));
