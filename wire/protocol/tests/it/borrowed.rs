//! The forms in place of Produce and Fetch read and write the same bytes as the owned ones.

use bumpalo::Bump;
use ottla_protocol::messages::{fetch_request, fetch_response, produce_request, produce_response};
use ottla_protocol::{Reader, Writer};

use crate::random::{self, Seeded};

macro_rules! check {
    ($name:literal, $ty:ty) => {
        let schemas = random::schemas();
        let schema = schemas
            .iter()
            .find(|schema| schema.name == $name)
            .expect("a schema");
        for version in schema.versions.low..=schema.versions.high {
            for seed in 0..100 {
                let bytes = random::message(schema, version, &mut Seeded(seed));
                let arena = Bump::new();
                let mut reader = Reader::new(&bytes);
                let message = <$ty>::decode(&mut reader, &arena, version)
                    .unwrap_or_else(|e| panic!("{} v{version} seed {seed}: {e}", $name));
                assert_eq!(reader.remaining(), 0);
                let mut writer = Writer::new();
                message
                    .encode(&mut writer, version)
                    .expect("what was read can be written");
                assert_eq!(writer.buf, bytes, "{} v{version} seed {seed}", $name);
            }
        }
    };
}

#[test]
fn forms_in_place_come_back() {
    check!(
        "ProduceRequest",
        produce_request::borrowed::ProduceRequestRef<'_>
    );
    check!(
        "ProduceResponse",
        produce_response::borrowed::ProduceResponseRef<'_>
    );
    check!("FetchRequest", fetch_request::borrowed::FetchRequestRef<'_>);
    check!(
        "FetchResponse",
        fetch_response::borrowed::FetchResponseRef<'_>
    );
}
