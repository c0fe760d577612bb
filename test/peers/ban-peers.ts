/** A peer id of each kind of key, as libp2p prints it: in base58btc, and as a CIDv1. */
export const PEERS = {
  ed25519: {
    base58: '12D3KooWDjQGdN48zsgkxYWafUhQmz9ZpRvneTKnPes7baRM4154',
    cid: 'bafzaajaiaejcaorjhbbe7kgcmotth24o523kowfop3p26vmby6pmpttujx4dlxhd',
  },
  secp256k1: {
    base58: '16Uiu2HAm7u82ZEJQrimcdDKgWvLyqxKMFvV2PLopvhG9fTpgAgiz',
    cid: 'bafzaajiiaijccavzkrqivxly5w3jedw6wn3kvuzjla52snkfy6al5kgitkfc4docw4',
  },
  rsa: {
    base58: 'QmaQrWeyVA5AxktgKxaWGyywdTvbAh5qGnFHDuYXFkcqKt',
    cid: 'bafzbeiftl7uvxwts4haek7yonxn5d2vp77ccnxjxfoitwxpeurnndzg354',
  },
} as const
