//! Items of every key, as they were signed and as somebody altered them.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{RSA_PSS_SHA256, RsaPssSaltLength, RsaSignatureEncoding};
use proptest::prelude::*;

use super::*;
use crate::limits::ITEM_BYTES_MAX;

static WALLET: LazyLock<RsaComponents> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../tests/support/wallet.json")).unwrap()
});
static KEYS: LazyLock<[ItemKey; 3]> = LazyLock::new(|| {
    [
        ItemKey::rsa(&WALLET).unwrap(),
        ItemKey::ed25519(&[1; 32]),
        ItemKey::ethereum(&[2; 32]).unwrap(),
    ]
});

fn draft() -> ItemDraft {
    ItemDraft::default()
        .to([7; 32])
        .anchored([8; 32])
        .tag("Action", "Eval")
        .tag("Action", "second")
        .carrying("data")
}

fn drafts() -> impl Strategy<Value = ItemDraft> {
    let tags = prop::collection::vec(("[a-zA-Z-]{1,12}", ".{1,12}"), 0..6);
    let field = || prop::option::of(any::<[u8; 32]>());
    let data = prop::collection::vec(any::<u8>(), 0..200);
    (field(), field(), tags, data).prop_map(|(target, anchor, tags, data)| ItemDraft {
        target,
        anchor,
        tags,
        data,
    })
}

/// The components as the library takes them.
fn pair() -> KeyPair {
    KeyPair::from_components(&KeyPairComponents {
        public_key: PublicKeyComponents {
            n: &WALLET.n[..],
            e: &WALLET.e[..],
        },
        d: &WALLET.d[..],
        p: &WALLET.p[..],
        q: &WALLET.q[..],
        dP: &WALLET.dp[..],
        dQ: &WALLET.dq[..],
        qInv: &WALLET.qi[..],
    })
    .unwrap()
}

#[test]
fn fields_are_those_of_the_draft() {
    let item = KEYS[1].sign_item(&draft()).unwrap().into_inner();
    assert_eq!(item.signature_type(), SignatureType::Ed25519);
    assert_eq!(item.target(), Some(&[7; 32]));
    assert_eq!(item.anchor(), Some(&[8; 32]));
    assert_eq!(item.tag("Action"), Some("Eval"));
    assert_eq!(item.tag("action"), None);
    assert_eq!(
        item.tags().collect::<Vec<_>>(),
        [("Action", "Eval"), ("Action", "second")]
    );
    assert_eq!(item.data(), b"data");
    assert_eq!(item.owner(), KEYS[1].owner());
    assert_eq!(item.owner_address(), KEYS[1].address());
    assert_eq!(
        item.id(),
        ItemId::new(crate::hash::sha256(&[item.signature()]))
    );
    assert_eq!(item.view().to_item(), item);
}

#[test]
fn processes_see_ethereum_owners_as_ethereum_does() {
    // Ethereum's address of the secret 2 repeated, from its public key.
    assert_eq!(KEYS[2].owner().len(), 65);
    let shown = KEYS[2].ao_address();
    assert!(shown.starts_with("0x") && shown.len() == 42);
    assert_eq!(KEYS[2].sign_item(&draft()).unwrap().ao_address(), shown);
    assert_eq!(KEYS[1].ao_address(), KEYS[1].address().to_string());
    // A known pair of secret and address.
    let mut one = [0; 32];
    one[31] = 1;
    let key = ItemKey::ethereum(&one).unwrap();
    assert_eq!(
        key.ao_address(),
        "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
    );
}

#[test]
fn deterministic_keys_sign_the_same_bytes_and_rsa_does_not() {
    for (key, same) in KEYS.iter().zip([false, true, true]) {
        let (first, second) = (
            key.sign_item(&draft()).unwrap(),
            key.sign_item(&draft()).unwrap(),
        );
        assert_eq!(first.id() == second.id(), same);
        assert_eq!(first.signing_digest(), second.signing_digest());
    }
}

/// An item of the wallet whose signature carries a salt of this length.
fn salted(encoding: &'static RsaSignatureEncoding) -> Item {
    let (draft, pair) = (draft(), pair());
    let bytes = draft.assemble(SignatureType::Arweave, &WALLET.n, |digest| {
        let mut signature = vec![0; 512];
        pair.sign(encoding, &SystemRandom::new(), digest, &mut signature)
            .unwrap();
        Ok(signature)
    });
    Item::parse(bytes.unwrap()).unwrap()
}

#[test]
fn three_salt_lengths_are_accepted() {
    const fn with(length: RsaPssSaltLength) -> RsaSignatureEncoding {
        RSA_PSS_SHA256.with_pss_salt_length(length)
    }
    for accepted in [
        &const { with(RsaPssSaltLength::Digest) },
        &const { with(RsaPssSaltLength::Max) },
        &const { with(RsaPssSaltLength::Custom(478)) },
        &const { with(RsaPssSaltLength::Custom(0)) },
    ] {
        assert!(salted(accepted).authenticate().is_ok(), "{accepted:?}");
    }
    for refused in [
        &const { with(RsaPssSaltLength::Custom(20)) },
        &const { with(RsaPssSaltLength::Custom(31)) },
        &const { with(RsaPssSaltLength::Custom(477)) },
    ] {
        assert_eq!(
            salted(refused).authenticate(),
            Err(ItemError::SignatureInvalid),
            "{refused:?}"
        );
    }
}

#[test]
fn typed_data_is_signed_by_the_account_that_owns_the_item() {
    let secret = k256::ecdsa::SigningKey::from_slice(&[3; 32]).unwrap();
    let key = secret.verifying_key().to_sec1_point(false);
    let account = ethereum::account_of(key.as_bytes()).unwrap();
    let checksummed = ethereum::checksummed(&account);
    let item = |owner: &str| {
        let bytes = draft().assemble(SignatureType::TypedEthereum, owner.as_bytes(), |digest| {
            Ok(ethereum::sign(&secret, &ethereum::typed_digest(digest, &account)).unwrap())
        });
        Item::parse(bytes.unwrap()).unwrap()
    };
    for owner in [checksummed.clone(), checksummed.to_lowercase()] {
        let item = item(&owner).authenticate().unwrap();
        assert_eq!(item.ao_address(), checksummed);
    }
    let other = ethereum::checksummed(&[9; 20]);
    assert_eq!(
        item(&other).authenticate(),
        Err(ItemError::SignatureInvalid)
    );
    let wrong = checksummed.replace("0x", "0y");
    assert_eq!(item(&wrong).authenticate(), Err(ItemError::Owner));
}

#[test]
fn aptos_is_well_formed_but_unsupported() {
    for (kind, name) in [
        (SignatureType::InjectedAptos, 5),
        (SignatureType::MultiAptos, 6),
    ] {
        let owner = vec![1; kind.owner_bytes()];
        let signature = vec![2; kind.signature_bytes()];
        let bytes = draft().assemble(kind, &owner, |_| Ok(signature)).unwrap();
        let item = Item::parse(bytes).unwrap();
        assert_eq!(item.data(), b"data");
        let error = item.authenticate().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("Unsupported signature type {name}")
        );
        assert_eq!(error.code(), "item-signature-type-unsupported");
    }
}

#[test]
fn weak_keys_are_not_owners() {
    // The point of order one: with it and a zero scalar, plain Ed25519 verifies any message.
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut signature = identity.to_vec();
    signature.extend([0; 32]);
    let bytes = draft()
        .assemble(SignatureType::Ed25519, &identity, |_| Ok(signature))
        .unwrap();
    assert_eq!(
        Item::parse(bytes).unwrap().authenticate(),
        Err(ItemError::SignatureInvalid)
    );
    let zero = vec![0; 512];
    let bytes = draft()
        .assemble(SignatureType::Arweave, &zero, |_| Ok(zero.clone()))
        .unwrap();
    assert_eq!(
        Item::parse(bytes).unwrap().authenticate(),
        Err(ItemError::Owner)
    );
}

#[test]
fn the_size_limit_is_inclusive() {
    let empty = KEYS[1]
        .sign_item(&ItemDraft::default())
        .unwrap()
        .bytes()
        .len();
    let full = ItemDraft::default().carrying(vec![0; ITEM_BYTES_MAX - empty]);
    assert!(KEYS[1].sign_item(&full).is_ok());
    let over = ItemDraft::default().carrying(vec![0; ITEM_BYTES_MAX - empty + 1]);
    let error = KEYS[1].sign_item(&over).unwrap_err();
    assert_eq!(
        error,
        ItemError::TooLarge {
            bytes: ITEM_BYTES_MAX + 1,
            limit: ITEM_BYTES_MAX
        }
    );
}

#[test]
fn wallets_are_read_from_jwk_and_der_and_checked() {
    let der: Pkcs8V1Der<'_> = pair().as_der().unwrap();
    let read = RsaComponents::from_der(der.as_ref()).unwrap();
    let jwk = |key: &RsaComponents| serde_json::to_value(key).unwrap();
    assert_eq!(jwk(&read), jwk(&WALLET));
    assert_eq!(jwk(&read)["kty"], "RSA");
    assert_eq!(ItemKey::rsa(&read).unwrap().address(), KEYS[0].address());
    for cut in [0, 1, 20, 30, 600, der.as_ref().len() - 1] {
        let error = RsaComponents::from_der(&der.as_ref()[..cut]).err();
        assert_eq!(error, Some(KeyError::RsaEncoding), "{cut}");
    }

    let altered = |alter: fn(&mut RsaComponents)| {
        let mut key = serde_json::from_value(jwk(&WALLET)).unwrap();
        alter(&mut key);
        ItemKey::rsa(&key).err()
    };
    assert_eq!(altered(|_| ()), None);
    assert_eq!(
        altered(|key| key.d[9] ^= 1),
        Some(KeyError::RsaInconsistent)
    );
    assert_eq!(altered(|key| key.e = vec![3]), Some(KeyError::RsaExponent));
    assert_eq!(
        altered(|key| key.n.truncate(256)),
        Some(KeyError::RsaSize(256))
    );
    assert_eq!(ItemKey::ethereum(&[0; 32]).err(), Some(KeyError::Secp256k1));
    assert_eq!(
        ItemKey::ethereum(&[255; 32]).err(),
        Some(KeyError::Secp256k1)
    );
    assert_eq!(KEYS[1].secret_bytes().as_deref(), Some(&[1; 32]));
}

#[test]
fn inside_other_objects_an_item_is_its_bytes() {
    let item = KEYS[1].sign_item(&draft()).unwrap().into_inner();
    let cbor = serde_cbor::to_vec(&item).unwrap();
    assert_eq!(cbor[0] >> 5, 2, "a byte string");
    assert_eq!(serde_cbor::from_slice::<Item>(&cbor).unwrap(), item);
    let json = serde_json::to_string(&item).unwrap();
    assert_eq!(serde_json::from_str::<Item>(&json).unwrap(), item);
    assert!(serde_cbor::from_slice::<Item>(&cbor[..cbor.len() - 1]).is_err());
    assert!(serde_json::from_str::<Item>("\"AgA\"").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_signed_is_read_and_authentic(draft in drafts()) {
        for key in &*KEYS {
            let signed = key.sign_item(&draft).unwrap();
            let item = Item::parse(signed.bytes()).unwrap();
            let tags = item.tags().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            let read = ItemDraft {
                target: item.target().copied(),
                anchor: item.anchor().copied(),
                tags,
                data: item.data().to_vec(),
            };
            prop_assert_eq!(&read, &draft);
            prop_assert_eq!(item.authenticate(), Ok(signed));
        }
    }

    /// One byte other than it was signed, anywhere, signature included: never authentic.
    #[test]
    fn no_altered_item_is_authentic(draft in drafts(), place in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        for key in &*KEYS {
            let mut bytes = key.sign_item(&draft).unwrap().bytes().to_vec();
            let place = place.index(bytes.len());
            bytes[place] ^= flip;
            let judged = Item::parse(bytes).and_then(Item::authenticate);
            prop_assert!(judged.is_err(), "byte {place} of an item of {:?}", key.signature_type());
        }
    }

    #[test]
    fn no_cut_or_lengthened_item_is_authentic(draft in drafts(), place in any::<prop::sample::Index>()) {
        let bytes = KEYS[1].sign_item(&draft).unwrap().bytes().to_vec();
        let cut = &bytes[..place.index(bytes.len())];
        prop_assert!(Item::parse(cut).and_then(Item::authenticate).is_err());
        let longer = [&bytes[..], &[0]].concat();
        prop_assert!(Item::parse(longer).and_then(Item::authenticate).is_err());
    }

    #[test]
    fn any_bytes_are_judged(kind in 0..9_u8, rest in prop::collection::vec(any::<u8>(), 0..1200)) {
        let bytes = [&[kind, 0][..], &rest].concat();
        let _ = Item::parse(bytes).and_then(Item::authenticate);
    }
}
