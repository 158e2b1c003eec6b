//! Arweave's deep hash, with SHA-384: what a data item's owner signs.

use crate::hash::sha384;

/// The deep hash of a byte string.
pub fn of_bytes(bytes: &[u8]) -> [u8; 48] {
    let tag = sha384(&[b"blob", bytes.len().to_string().as_bytes()]);
    sha384(&[&tag, &sha384(&[bytes])])
}

/// The deep hash of a list of byte strings.
pub fn of_list(parts: &[&[u8]]) -> [u8; 48] {
    let start = sha384(&[b"list", parts.len().to_string().as_bytes()]);
    parts
        .iter()
        .fold(start, |sum, part| sha384(&[&sum, &of_bytes(part)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(
            hex::encode(of_bytes(b"")),
            "fbf00cc444f5fea9dc3bedf62a13fba8ae87e7445fc910567a23bec4eb82fadb\
             1143c433069314d8362983dc3c2e4a38"
        );
        assert_eq!(
            hex::encode(of_list(&[b"dataitem", b"1"])),
            "9f278255d2108736fbcd24b030a08c84bda932560777bbc25af5bf4b79157c20\
             cd79443ecc7ee5f27c8abe8fb20ca10f"
        );
    }
}
