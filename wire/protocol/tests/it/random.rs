//! Random messages as bytes, made from the schema alone, in the one form that an encoder writes.

use std::fs;
use std::path::Path;

use ottla_schema::{Field, Message, Type};

/// Every message of the schemas that exists.
pub(crate) fn schemas() -> Vec<Message> {
    let mut messages = Vec::new();
    read(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas"),
        &mut messages,
    );
    messages.retain(|message| !message.versions.is_empty());
    messages
}

fn read(folder: &Path, messages: &mut Vec<Message>) {
    for entry in fs::read_dir(folder).expect("the schemas are there") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            read(&path, messages);
        } else if path.extension().is_some_and(|extension| extension == "txt") {
            let text = fs::read_to_string(&path).expect("readable");
            messages.extend(ottla_schema::parse(&text).expect("parses"));
        }
    }
}

/// A small generator with a seed, so that a failure names what to run again (splitmix64).
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// Writes one message of one version.
pub(crate) struct Encoder<'a> {
    message: &'a Message,
    version: i16,
    flexible: bool,
    random: Option<&'a mut Seeded>,
}

/// The bytes of a random message.
pub(crate) fn message(message: &Message, version: i16, random: &mut Seeded) -> Vec<u8> {
    let flexible = message.flexible.contains(version);
    let mut encoder = Encoder {
        message,
        version,
        flexible,
        random: Some(random),
    };
    let mut out = Vec::new();
    encoder.fields(&message.fields, &mut out);
    out
}

fn uvarint(mut value: usize, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push(u8::try_from(value & 0x7f).expect("seven bits") | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).expect("seven bits"));
}

impl Encoder<'_> {
    fn fields(&mut self, fields: &[Field], out: &mut Vec<u8>) {
        let mut tagged = Vec::new();
        let version = self.version;
        for field in fields
            .iter()
            .filter(|field| field.versions.contains(version))
        {
            match field
                .tag
                .filter(|(_, versions)| versions.contains(self.version))
            {
                None => self.value(field, out),
                Some((tag, _)) => tagged.push((tag, field)),
            }
        }
        if !self.flexible {
            assert!(
                tagged.is_empty(),
                "tagged fields exist in flexible versions only"
            );
            return;
        }
        tagged.sort_by_key(|(tag, _)| *tag);
        let mut present = Vec::new();
        for (tag, field) in tagged {
            let mut value = Vec::new();
            self.value(field, &mut value);
            let mut default = Vec::new();
            let mut plain = Encoder {
                message: self.message,
                version: self.version,
                flexible: self.flexible,
                random: None,
            };
            plain.value(field, &mut default);
            // A field that has its default is not written.
            if value != default {
                present.push((tag, value));
            }
        }
        uvarint(present.len(), out);
        for (tag, value) in present {
            uvarint(usize::try_from(tag).expect("small"), out);
            uvarint(value.len(), out);
            out.extend(value);
        }
    }

    /// The value of a field: random, or without randomness its default.
    fn value(&mut self, field: &Field, out: &mut Vec<u8>) {
        let nullable = field.nullable.contains(self.version);
        let null = match &mut self.random {
            Some(random) => nullable && random.below(4) == 0,
            None => {
                let records = field.ty == Type::Records && field.default.is_none();
                nullable && (field.default.as_deref() == Some("null") || records)
            }
        };
        let compact = self.flexible && !field.never_flexible;
        match &field.ty {
            Type::Struct(name) => {
                if nullable {
                    out.push(if null { 0xff } else { 1 });
                }
                if !null {
                    self.structure(name, out);
                }
            }
            _ if null => match (&field.ty, compact) {
                (_, true) => out.push(0),
                (Type::String, false) => out.extend([0xff; 2]),
                (_, false) => out.extend([0xff; 4]),
            },
            ty => self.plain(ty, field.default.as_deref(), compact, out),
        }
    }

    fn structure(&mut self, name: &str, out: &mut Vec<u8>) {
        let message = self.message;
        self.fields(
            &message
                .find_struct(name)
                .expect("checked by the parser")
                .fields,
            out,
        );
    }

    fn count(&self, count: usize, compact: bool, short: bool, out: &mut Vec<u8>) {
        match (compact, short) {
            (true, _) => uvarint(count + 1, out),
            (false, true) => out.extend(u16::try_from(count).expect("short").to_be_bytes()),
            (false, false) => out.extend(u32::try_from(count).expect("short").to_be_bytes()),
        }
    }

    fn plain(&mut self, ty: &Type, default: Option<&str>, compact: bool, out: &mut Vec<u8>) {
        match ty {
            Type::String => {
                let text = match &mut self.random {
                    Some(random) => (0..random.below(5))
                        .map(|_| {
                            ["a", "Z", "0", "-", "é", "λ"]
                                [usize::try_from(random.below(6)).expect("small")]
                        })
                        .collect(),
                    None => default.unwrap_or_default().to_owned(),
                };
                self.count(text.len(), compact, true, out);
                out.extend(text.as_bytes());
            }
            Type::Bytes | Type::Records => {
                let len = self.random.as_mut().map_or(0, |random| random.below(200));
                let len = usize::try_from(len).expect("small");
                self.count(len, compact, false, out);
                out.extend(std::iter::repeat_n(0xa5, len));
            }
            Type::Array(element) => {
                let len = self.random.as_mut().map_or(0, |random| random.below(3));
                let len = usize::try_from(len).expect("small");
                self.count(len, compact, false, out);
                for _ in 0..len {
                    match &**element {
                        Type::Struct(name) => self.structure(name, out),
                        element => self.plain(element, None, compact, out),
                    }
                }
            }
            Type::Struct(name) => self.structure(name, out),
            fixed => self.fixed(fixed, default, out),
        }
    }

    fn fixed(&mut self, ty: &Type, default: Option<&str>, out: &mut Vec<u8>) {
        let width = match ty {
            Type::Bool | Type::I8 => 1,
            Type::I16 | Type::U16 => 2,
            Type::I32 | Type::U32 => 4,
            Type::Uuid => 16,
            _ => 8,
        };
        if let Some(random) = &mut self.random {
            if *ty == Type::Bool {
                out.push(u8::from(random.below(2) == 1));
                return;
            }
            if *ty == Type::F64 {
                let number = u32::try_from(random.below(1 << 32)).expect("32 bits");
                out.extend((f64::from(number) / 7.0).to_be_bytes());
                return;
            }
            for _ in 0..width {
                out.push(random.next().to_le_bytes()[0]);
            }
            return;
        }
        let number = match default.unwrap_or("0") {
            "true" => 1,
            "false" => 0,
            text => text.strip_prefix("0x").map_or_else(
                || text.parse::<i128>().expect("a number"),
                |hex| i128::from_str_radix(hex, 16).expect("a number"),
            ),
        };
        let bytes = number.to_be_bytes();
        out.extend(bytes.get(16 - width..).expect("at most 16"));
    }
}
