// The same without a preload: a client of the TypeScript SDK that talks to this server. One line changes in your program:
//
//   import { clientFor } from "./client.mjs";
//   const client = clientFor("https://fulfillment.example.com", "shop@example.com", "password");
import { AuthService, FftApiClient, HttpClient } from "@fulfillmenttools/fulfillmenttools-sdk-typescript";

class Client extends FftApiClient {
  constructor(server, email, password) {
    super("any", email, password, "any");
    const login = {
      apiKey: "any",
      apiUser: email,
      apiPassword: password,
      authUrl: `${server}/v1/accounts:signInWithPassword`,
      refreshUrl: `${server}/v1/token`,
    };
    const authService = new AuthService(login, new HttpClient());
    Object.assign(this, { baseUrl: `${server}/api`, authService });
  }
}

export const clientFor = (server, email, password) => new Client(server.replace(/\/$/, ""), email, password);
