//! Random requests from the schemas, and what can be done to their bytes. Each seed gives the same again.

use std::fs;
use std::path::Path;

use ottla_schema::{Field, Kind, Message, Type, json};
use serde_json::{Map, Value};

/// Texts that mean something to some API, and some that mean nothing to any.
const TEXTS: &[&str] = &[
    "",
    "t",
    "topic",
    "group",
    "1",
    "-1",
    "2147483648",
    "consumer",
    "range",
    "cleanup.policy",
    "compact,delete",
    "retention.ms",
    "metadata.version",
    "transaction.version",
    "__consumer_offsets",
    "__cluster_metadata",
    ".",
    "..",
    "a/b",
    "a.b",
    "a_b",
    "a\nb",
    "\u{0}",
    "é",
    "\u{10ffff}",
];
/// Numbers at which something changes.
const NUMBERS: &[i64] = &[
    0,
    1,
    -1,
    2,
    -2,
    3,
    5,
    10,
    100,
    i8::MAX as i64,
    i8::MIN as i64,
    i16::MAX as i64,
    i16::MIN as i64,
    i32::MAX as i64,
    i32::MIN as i64,
    i64::MAX,
    i64::MIN,
];

/// A generator with a seed (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("fits");
        usize::try_from(self.next() % bound).expect("below a usize")
    }

    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    fn number(&mut self) -> [u8; 8] {
        if self.one_in(4) {
            self.next().to_be_bytes()
        } else {
            self.pick(NUMBERS).to_be_bytes()
        }
    }
}

/// Every request of the protocol, by the schemas of the codec.
pub(crate) fn requests() -> Vec<Message> {
    messages(Kind::Request)
}

/// Every message of the protocol that is of `kind`.
pub(crate) fn messages(kind: Kind) -> Vec<Message> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wire/protocol/schemas/api");
    let mut messages = Vec::new();
    for entry in fs::read_dir(folder).expect("the schemas are there") {
        let text = fs::read_to_string(entry.expect("readable").path()).expect("readable");
        messages.extend(ottla_schema::parse(&text).expect("parses"));
    }
    messages.retain(|message| message.kind == kind && !message.versions.is_empty());
    messages.sort_by_key(|message| message.key);
    messages
}

/// What a field may hold beside what is random.
pub(crate) struct Things {
    /// Ids of topics.
    pub(crate) topic_ids: Vec<String>,
    /// Record batches.
    pub(crate) batches: Vec<Vec<u8>>,
}

/// The bytes of a random request.
pub(crate) fn body(
    message: &Message,
    version: i16,
    things: &Things,
    random: &mut Random,
) -> Vec<u8> {
    let mut maker = Maker {
        message,
        version,
        things,
        random,
    };
    let value = maker.fields(&message.fields);
    let mut bytes = Vec::new();
    json::encode(message, version, &value, &mut bytes)
        .unwrap_or_else(|error| panic!("{} {version}: {error}", message.name));
    bytes
}

struct Maker<'a> {
    message: &'a Message,
    version: i16,
    things: &'a Things,
    random: &'a mut Random,
}

impl Maker<'_> {
    fn fields(&mut self, fields: &[Field]) -> Value {
        let version = self.version;
        let present = fields.iter().filter(|f| f.versions.contains(version));
        let mut object = Map::new();
        for field in present {
            // Most fields keep their default often enough for a request to get somewhere.
            if self.random.one_in(4) && field.default.is_some() {
                continue;
            }
            let value = if field.nullable.contains(version) && self.random.one_in(5) {
                Value::Null
            } else {
                self.value(&field.ty)
            };
            object.insert(field.name.clone(), value);
        }
        Value::Object(object)
    }

    fn value(&mut self, ty: &Type) -> Value {
        let number = self.random.number();
        let [.., a, b, c, d] = number;
        match ty {
            Type::Bool => self.random.one_in(2).into(),
            Type::I8 => i8::from_be_bytes([d]).into(),
            Type::I16 => i16::from_be_bytes([c, d]).into(),
            Type::U16 => u16::from_be_bytes([c, d]).into(),
            Type::I32 => i32::from_be_bytes([a, b, c, d]).into(),
            Type::U32 => u32::from_be_bytes([a, b, c, d]).into(),
            Type::I64 => i64::from_be_bytes(number).into(),
            Type::F64 => f64::from(i32::from_be_bytes([a, b, c, d])).into(),
            Type::Uuid => self.random.pick(&self.things.topic_ids).as_str().into(),
            Type::String if self.random.one_in(20) => {
                "a".repeat(*self.random.pick(&[249, 250, 32_000])).into()
            }
            Type::String => (*self.random.pick(TEXTS)).into(),
            Type::Records => {
                let batch: &Vec<u8> = self.random.pick(&self.things.batches);
                json::to_hex(batch).into()
            }
            Type::Bytes => {
                let len = *self.random.pick(&[0, 1, 10, 1000]);
                let bytes: Vec<u8> = (0..len).map(|_| self.random.byte()).collect();
                json::to_hex(&bytes).into()
            }
            Type::Array(element) => {
                let count = *self.random.pick(&[0, 1, 1, 1, 2, 5]);
                (0..count).map(|_| self.value(element)).collect()
            }
            Type::Struct(name) => {
                let message = self.message;
                let found = message.find_struct(name).expect("checked by the parser");
                self.fields(&found.fields)
            }
        }
    }
}

/// Does something to bytes that whoever wrote them did not want.
pub(crate) fn mangle(bytes: &mut Vec<u8>, random: &mut Random) {
    if bytes.is_empty() {
        return;
    }
    let at = random.below(bytes.len());
    let [.., a, b, c, d] = random.number();
    match random.below(8) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.byte(),
        2 => bytes.truncate(at),
        3 => drop(bytes.remove(at)),
        4 => bytes.insert(at, random.byte()),
        5 => {
            // A length or a count that is not true.
            let end = bytes.len().min(at + 4);
            bytes[at..end].copy_from_slice(&[a, b, c, d][..end - at]);
        }
        6 => {
            let end = bytes.len().min(at + random.below(50));
            let copy = bytes[at..end].to_vec();
            bytes.splice(at..at, copy);
        }
        _ => bytes.extend([a, b, c, d]),
    }
}
