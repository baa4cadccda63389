//! Bytes made from the schema are read and written back unchanged; cut or wrong bytes are refused.

use ottla_protocol::{DecodeError, Reader};

use crate::random::{self, Seeded};
use crate::registry::MESSAGES;

const ROUNDS: u64 = 20;

#[test]
fn every_message_comes_back_in_every_version() {
    let schemas = random::schemas();
    assert_eq!(schemas.len(), MESSAGES.len());
    for schema in &schemas {
        let (_, reencode) = MESSAGES
            .iter()
            .find(|(name, _)| *name == schema.name)
            .unwrap_or_else(|| panic!("{} is generated", schema.name));
        for version in schema.versions.low..=schema.versions.high {
            for seed in 0..ROUNDS {
                let bytes = random::message(schema, version, &mut Seeded(seed));
                let back = reencode(&bytes, version);
                let back =
                    back.unwrap_or_else(|e| panic!("{} v{version} seed {seed}: {e}", schema.name));
                assert_eq!(back, bytes, "{} v{version} seed {seed}", schema.name);
            }
        }
    }
}

#[test]
fn the_codec_by_schema_alone_reads_and_writes_the_same_bytes() {
    for schema in &random::schemas() {
        for version in schema.versions.low..=schema.versions.high {
            for seed in 0..ROUNDS {
                let bytes = random::message(schema, version, &mut Seeded(seed));
                let (value, rest) = ottla_schema::json::decode(schema, version, &bytes)
                    .unwrap_or_else(|e| panic!("{} v{version} seed {seed}: {e}", schema.name));
                assert!(rest.is_empty(), "{} v{version} seed {seed}", schema.name);
                let mut back = Vec::new();
                ottla_schema::json::encode(schema, version, &value, &mut back)
                    .unwrap_or_else(|e| panic!("{} v{version} seed {seed}: {e}", schema.name));
                assert_eq!(
                    back, bytes,
                    "{} v{version} seed {seed}: {value}",
                    schema.name
                );
            }
        }
    }
}

#[test]
fn cut_messages_are_refused() {
    for schema in &random::schemas() {
        let (_, reencode) = MESSAGES
            .iter()
            .find(|(name, _)| *name == schema.name)
            .expect("generated");
        let version = schema.versions.high;
        let bytes = random::message(schema, version, &mut Seeded(1));
        for len in 0..bytes.len() {
            let cut = bytes.get(..len).expect("shorter");
            assert!(
                reencode(cut, version).is_err(),
                "{} cut at {len}",
                schema.name
            );
        }
    }
}

#[test]
fn random_bytes_are_no_reason_to_panic() {
    let mut random = Seeded(7);
    for (name, reencode) in MESSAGES {
        for _ in 0..200 {
            let len = random.below(60);
            let bytes: Vec<u8> = (0..len).map(|_| random.next().to_le_bytes()[0]).collect();
            for version in 0..4 {
                // Whatever is readable is also writable.
                if let Err(error) = reencode(&bytes, version) {
                    assert!(!error.starts_with("encode"), "{name} v{version}: {error}");
                }
            }
        }
    }
}

#[test]
fn hostile_count_takes_no_memory() {
    // A Metadata request of version 1 that claims two thousand million topics.
    let bytes = [0x7f, 0xff, 0xff, 0xff];
    let decoded = ottla_protocol::messages::MetadataRequest::decode(&mut Reader::new(&bytes), 1);
    assert_eq!(decoded, Err(DecodeError::BadLength(i64::from(i32::MAX))));
}
