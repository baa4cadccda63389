//! `--add-scram`: users of a new cluster with their SCRAM credentials (KIP-900).
//!
//! `SCRAM-SHA-256=[name=alice,password=secret]`, or with `saltedpassword`, `salt` and `iterations`; values
//! may stand in double quotes. What is kept is what RFC 5802 says a server keeps.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use ottla_env::Rng;
use ottla_protocol::messages::UserScramCredentialRecord;
use sha2::{Digest as _, Sha256, Sha512};

use super::error::{FormatError, refusal, refuse};

/// Rounds of the hash that Kafka allows, and what it takes if none are given.
const ITERATIONS_MIN: i32 = 4096;
const ITERATIONS_MAX: i32 = 16384;

/// Like Java's decoder, which does not insist on padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A hash that SCRAM is served with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mechanism {
    Sha256,
    Sha512,
}

impl Mechanism {
    fn by_name(name: &str) -> Option<Self> {
        match name {
            "SCRAM-SHA-256" => Some(Self::Sha256),
            "SCRAM-SHA-512" => Some(Self::Sha512),
            _ => None,
        }
    }

    /// Kafka's number.
    fn id(self) -> i8 {
        match self {
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }

    /// The name of the constant in Kafka's code, which its sentences have.
    fn constant(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM_SHA_256",
            Self::Sha512 => "SCRAM_SHA_512",
        }
    }

    fn salted_password(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        match self {
            Self::Sha256 => {
                let mut out = [0; 32];
                pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut out);
                out.to_vec()
            }
            Self::Sha512 => {
                let mut out = [0; 64];
                pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, iterations, &mut out);
                out.to_vec()
            }
        }
    }

    fn hmac(self, key: &[u8], text: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => {
                let mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
                mac.chain_update(text).finalize().into_bytes().to_vec()
            }
            Self::Sha512 => {
                let mac = Hmac::<Sha512>::new_from_slice(key).expect("a key of any length");
                mac.chain_update(text).finalize().into_bytes().to_vec()
            }
        }
    }

    fn hash(self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(text).to_vec(),
            Self::Sha512 => Sha512::digest(text).to_vec(),
        }
    }
}

/// The records of all arguments.
///
/// # Errors
/// With Kafka's sentence.
pub(super) fn records(
    arguments: &[String],
    rng: &dyn Rng,
) -> Result<Vec<UserScramCredentialRecord>, FormatError> {
    arguments
        .iter()
        .map(|text| record(text.trim(), rng))
        .collect()
}

fn record(text: &str, rng: &dyn Rng) -> Result<UserScramCredentialRecord, FormatError> {
    let Some((mechanism, config)) = text.split_once('=') else {
        return refuse(format!(
            "Failed to find equals sign in SCRAM argument '{text}'"
        ));
    };
    let Some(mechanism) = Mechanism::by_name(mechanism) else {
        return refuse(format!(
            "The add-scram mechanism {mechanism} is not supported."
        ));
    };
    let config = config
        .strip_prefix('[')
        .ok_or_else(|| refusal("Expected configuration string to start with ["))?;
    let config = config
        .strip_suffix(']')
        .ok_or_else(|| refusal("Expected configuration string to end with ]"))?;
    let mut parts = BTreeMap::new();
    for part in config.split(',') {
        let Some((key, value)) = part.split_once('=') else {
            return refuse(format!("No equals sign found in SCRAM component: {part}"));
        };
        let quoted = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'));
        parts.insert(key, quoted.unwrap_or(value));
    }
    let name = parts
        .remove("name")
        .ok_or_else(|| refusal("You must supply 'name' to add-scram"))?;
    let decoded = |what: &str, text: &str| {
        let decoded = BASE64.decode(text);
        decoded.map_err(|_| refusal(format!("Failed to decode given {what}: {text}")))
    };
    let salt = parts
        .remove("salt")
        .map(|salt| decoded("salt", salt))
        .transpose()?;
    let iterations = match parts.remove("iterations") {
        None => ITERATIONS_MIN,
        Some(text) => text
            .parse()
            .map_err(|_| refusal(format!("Failed to parse iterations count: {text}")))?,
    };
    let (password, salted) = match (parts.remove("password"), parts.remove("saltedpassword")) {
        (Some(password), _) => (Some(password), None),
        (None, None) => {
            return refuse("You must supply one of 'password' or 'saltedpassword' to add-scram");
        }
        (None, Some(_)) if salt.is_none() => {
            return refuse("You must supply 'salt' with 'saltedpassword' to add-scram");
        }
        (None, Some(salted)) => (None, Some(decoded("saltedPassword", salted)?)),
    };
    if !parts.is_empty() {
        let unknown: Vec<&str> = parts.keys().copied().collect();
        return refuse(format!(
            "Unknown SCRAM configurations: {}",
            unknown.join(", ")
        ));
    }
    for (is_wrong, sign, limit) in [
        (iterations < ITERATIONS_MIN, ">=", ITERATIONS_MIN),
        (iterations > ITERATIONS_MAX, "<=", ITERATIONS_MAX),
    ] {
        if is_wrong {
            return refuse(format!(
                "The 'iterations' value must be {sign} {limit} for add-scram using {}",
                mechanism.constant()
            ));
        }
    }
    let salt = salt.unwrap_or_else(|| random_salt(rng));
    let salted = match (password, salted) {
        (_, Some(salted)) => salted,
        // Java's words for a key of no bytes.
        (Some(""), None) => return refuse("Empty key"),
        (password, None) => mechanism.salted_password(
            password.unwrap_or_default().as_bytes(),
            &salt,
            iterations.unsigned_abs(),
        ),
    };
    if salted.is_empty() {
        return refuse("Empty key");
    }
    Ok(UserScramCredentialRecord {
        name: name.to_owned(),
        mechanism: mechanism.id(),
        stored_key: mechanism.hash(&mechanism.hmac(&salted, b"Client Key")),
        server_key: mechanism.hmac(&salted, b"Server Key"),
        salt,
        iterations,
        ..UserScramCredentialRecord::default()
    })
}

/// A salt as Kafka makes it: 130 random bits, written with the ten digits and the small letters.
fn random_salt(rng: &dyn Rng) -> Vec<u8> {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    // 25 digits of 36 have 129 bits; one more makes up for what is lost.
    (0..26)
        .map(|_| {
            let at = usize::try_from(rng.u64() % 36).unwrap_or(0);
            DIGITS.get(at).copied().unwrap_or(b'0')
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use ottla_env::OsRng;

    use super::*;

    fn one(text: &str) -> Result<UserScramCredentialRecord, String> {
        record(text, &OsRng).map_err(|error| error.to_string())
    }

    #[test]
    fn keys_are_those_that_kafka_derives() {
        // What Apache Kafka's own tool wrote for these arguments.
        for (text, stored, server) in [
            (
                "SCRAM-SHA-512=[name=alice,iterations=8192,salt=\"N3E=\",saltedpassword=\"YCE=\"]",
                "cXajSfkesuEdmelXMIE1FvL2RXPfwlrmGKyq6ai/1my6GnQBkALTiDfj8bysiAAVsysjd15xpW2sEiappLOxvQ==",
                "TGF8Dt3uWsZYXy+/UBt86VtHDWvwHxtUnCY8GKG1QG6muF9I08fZ3MQ0cupwRZ2uY6KK9INaZHi4OxHCDwYMBw==",
            ),
            (
                "SCRAM-SHA-512=[name=bob,iterations=4096,salt=N3E=,password=x y]",
                "kiRMg7p6ZGIisWBfXsbQONsyzOnfWvppbmz0I0wy6mBSmUsKyzQPw/7zYceP/bttjKEAyE8B7kCgAKRqunL1/g==",
                "BMqvGX6rJU4mIEU98vUzFKwQ1CUrHVAQyPAQh/uvR+M3mIxb/dU1xO6lTBqnTwoGiNvUYGUhtUhWydskwPRV/A==",
            ),
            (
                "SCRAM-SHA-256=[name=a,password=x,salt=N3E]",
                "G7mC4SzPosvS+95jvZ4UmRO1Pcc5fjyLkw2XkHSvH9Q=",
                "9K99jonN1AnuJixY2JKgFhnsPWjLDPIMAnzVOPhagU0=",
            ),
        ] {
            let record = one(text).unwrap();
            assert_eq!(BASE64.encode(&record.stored_key), stored, "{text}");
            assert_eq!(BASE64.encode(&record.server_key), server, "{text}");
            assert_eq!(record.salt, b"7q");
        }
    }

    #[test]
    fn a_salt_is_made_where_none_is_given() {
        let record = one("SCRAM-SHA-256=[name=alice,password=\"alice-secret\"]").unwrap();
        assert_eq!((record.mechanism, record.iterations), (1, 4096));
        assert_eq!(record.salt.len(), 26);
        assert_ne!(
            record.salt,
            one("SCRAM-SHA-256=[name=a,password=b]").unwrap().salt
        );
    }

    #[test]
    fn mistakes_are_told_in_kafkas_words() {
        for (text, expected) in [
            ("", "Failed to find equals sign in SCRAM argument ''"),
            (
                "SCRAM-SHA-256",
                "Failed to find equals sign in SCRAM argument 'SCRAM-SHA-256'",
            ),
            (
                "SCRAM-SHA-1=[name=a,password=x]",
                "The add-scram mechanism SCRAM-SHA-1 is not supported.",
            ),
            (
                "SCRAM-SHA-256=name=a",
                "Expected configuration string to start with [",
            ),
            (
                "SCRAM-SHA-256=[name=a,password=x]y",
                "Expected configuration string to end with ]",
            ),
            (
                "SCRAM-SHA-256=[]",
                "No equals sign found in SCRAM component: ",
            ),
            (
                "SCRAM-SHA-256=[password=x]",
                "You must supply 'name' to add-scram",
            ),
            (
                "SCRAM-SHA-256=[name=a]",
                "You must supply one of 'password' or 'saltedpassword' to add-scram",
            ),
            (
                "SCRAM-SHA-256=[name=a,saltedpassword=YCE=]",
                "You must supply 'salt' with 'saltedpassword' to add-scram",
            ),
            (
                "SCRAM-SHA-256=[name=a,password=x,salt=\"!!\"]",
                "Failed to decode given salt: !!",
            ),
            (
                "SCRAM-SHA-256=[name=a,password=x,foo=1,bar=2]",
                "Unknown SCRAM configurations: bar, foo",
            ),
            (
                "SCRAM-SHA-256=[name=a,password=x,iterations=abc]",
                "Failed to parse iterations count: abc",
            ),
            (
                "SCRAM-SHA-256=[name=a,password=x,iterations=-1]",
                "The 'iterations' value must be >= 4096 for add-scram using SCRAM_SHA_256",
            ),
            (
                "SCRAM-SHA-512=[name=a,password=x,iterations=16385]",
                "The 'iterations' value must be <= 16384 for add-scram using SCRAM_SHA_512",
            ),
            ("SCRAM-SHA-256=[name=a,password=]", "Empty key"),
        ] {
            assert_eq!(one(text).unwrap_err(), expected, "{text}");
        }
    }
}
