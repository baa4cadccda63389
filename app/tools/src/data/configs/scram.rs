//! SCRAM credentials of users (KIP-554). The password is salted here; the server never sees it.

use ottla_client::{Admin, ClientError};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use ottla_protocol::messages::describe_user_scram_credentials_request::UserName;
use ottla_protocol::messages::describe_user_scram_credentials_response::DescribeUserScramCredentialsResult;
use ottla_protocol::messages::{
    AlterUserScramCredentialsRequest, DescribeUserScramCredentialsRequest,
};
use serde_json::{Value, json};

use super::entity::{Changes, Entities, Type};
use super::{Problem, only_brokers, quotas, wrong};
use crate::common::{controller, java};

/// Iterations if none are given, and the fewest that are taken.
const ITERATIONS: i32 = 4096;

/// Most rounds that are counted. Servers take no more than half of them.
const ITERATIONS_MAX: u32 = 32_768;

const SALT_BYTES: usize = 32;

/// A mechanism; the numbers are those of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mechanism {
    Sha256 = 1,
    Sha512 = 2,
}

impl Mechanism {
    fn of(name: &str) -> Option<Self> {
        match name {
            "SCRAM-SHA-256" => Some(Self::Sha256),
            "SCRAM-SHA-512" => Some(Self::Sha512),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    const fn code(self) -> i8 {
        match self {
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }

    /// RFC 5802's `Hi`.
    fn salted(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        match self {
            Self::Sha256 => {
                pbkdf2::pbkdf2_hmac_array::<sha2::Sha256, 32>(password, salt, iterations).to_vec()
            }
            Self::Sha512 => {
                pbkdf2::pbkdf2_hmac_array::<sha2::Sha512, 64>(password, salt, iterations).to_vec()
            }
        }
    }
}

/// A list as Scala prints it.
fn scala(kind: &str, items: &[&str]) -> String {
    format!("{kind}({})", items.join(", "))
}

/// Whether changes of users and clients are of credentials, and not of quotas; refuses what is neither,
/// or both.
pub(super) fn check(entities: &Entities, changes: &Changes) -> Result<bool, Problem> {
    let added: Vec<&str> = changes.add.iter().map(|(key, _)| key.as_str()).collect();
    let deleted: Vec<&str> = changes.delete.iter().map(String::as_str).collect();
    let is_scram = |key: &&str| Mechanism::of(key).is_some();
    let unknown = |keys: &[&str], scram_too: bool| -> Vec<String> {
        let no_quota = keys.iter().filter(|key| !quotas::is_quota(key));
        no_quota
            .filter(|key| scram_too || !is_scram(key))
            .map(|key| (*key).to_owned())
            .collect()
    };
    let clients = entities.head() == Type::Clients || entities.types.len() == 2;
    let (what, whose) = if clients {
        ("quota", "clients")
    } else {
        ("quota and SCRAM credential", "users")
    };
    for (keys, verb, kind) in [
        (&added, "added", "Set"),
        (&deleted, "deleted", "ArrayBuffer"),
    ] {
        let unknown = unknown(keys, clients);
        if !unknown.is_empty() {
            let unknown: Vec<&str> = unknown.iter().map(String::as_str).collect();
            return wrong(format!(
                "Only {what} configs can be {verb} for '{whose}' using --bootstrap-server. Unexpected \
                 config names: {}",
                scala(kind, &unknown)
            ));
        }
    }
    let mut all = added.iter().chain(&deleted);
    if !all.clone().any(is_scram) {
        return Ok(false);
    }
    if entities.names.iter().any(String::is_empty) {
        return wrong(
            "The use of --entity-default or --user-defaults is not allowed with User SCRAM Credentials \
             using --bootstrap-server.",
        );
    }
    if all.any(|key| quotas::is_quota(key)) {
        return wrong(
            "Cannot alter both quota and SCRAM credential configs simultaneously for 'users' using \
             --bootstrap-server.",
        );
    }
    Ok(true)
}

/// The credentials of users, of all if none are named.
pub(super) fn describe(
    admin: &mut Admin,
    users: &[String],
) -> Result<Vec<DescribeUserScramCredentialsResult>, Problem> {
    only_brokers(admin)?;
    let mut request = DescribeUserScramCredentialsRequest::default();
    request.users = (!users.is_empty()).then(|| {
        let named = |user: &String| {
            let mut name = UserName::default();
            name.name.clone_from(user);
            name
        };
        users.iter().map(named).collect()
    });
    let answer = admin.ask("describeUserScramCredentials", &request)?;
    ClientError::check(answer.error_code, answer.error_message.as_deref())?;
    let mut found = Vec::new();
    for user in answer.results {
        if user.error_code == ErrorCode::ResourceNotFound.code() {
            continue;
        }
        ClientError::check(user.error_code, user.error_message.as_deref())?;
        found.push(user);
    }
    Ok(found)
}

fn mechanism_name(code: i8) -> &'static str {
    [Mechanism::Sha256, Mechanism::Sha512]
        .into_iter()
        .find(|mechanism| mechanism.code() == code)
        .map_or("UNKNOWN", Mechanism::name)
}

/// One user with its credentials.
pub(super) fn line(user: &DescribeUserScramCredentialsResult) -> String {
    let credentials = user.credential_infos.iter().map(|info| {
        format!(
            "{}=iterations={}",
            mechanism_name(info.mechanism),
            info.iterations
        )
    });
    format!(
        "SCRAM credential configs for user-principal '{}' are {}",
        user.user,
        java::joined(credentials, ", ")
    )
}

/// One user with its credentials.
pub(super) fn to_json(user: &DescribeUserScramCredentialsResult) -> Value {
    let credentials: Vec<Value> = user
        .credential_infos
        .iter()
        .map(|info| {
            json!({
                "mechanism": mechanism_name(info.mechanism),
                "iterations": info.iterations,
            })
        })
        .collect();
    json!({"user": user.user, "credentials": credentials})
}

/// Iterations and password of `[iterations=N,]password=P`.
fn credential(mechanism: Mechanism, text: &str) -> Result<(i32, &str), String> {
    let invalid = || {
        format!(
            "Invalid credential property {}={text}",
            mechanism.name().replace('-', "_")
        )
    };
    let (iterations, password) = match text.strip_prefix("iterations=") {
        None => (None, text),
        Some(rest) => {
            let (count, password) = rest.split_once(',').ok_or_else(invalid)?;
            (Some(count), password)
        }
    };
    let password = password.strip_prefix("password=").ok_or_else(invalid)?;
    let iterations = match iterations {
        None | Some("-1") => ITERATIONS,
        Some(count) => {
            let digits = count.strip_prefix('-').unwrap_or(count);
            if !digits.chars().all(|c| c.is_ascii_digit()) {
                return Err(invalid());
            }
            java::number(count)?
        }
    };
    if iterations < ITERATIONS {
        return Err(format!(
            "Iterations {iterations} is less than the minimum {ITERATIONS} required for {}",
            mechanism.name()
        ));
    }
    Ok((iterations, password))
}

/// Changes the credentials of a user.
pub(super) fn alter(admin: &mut Admin, user: &str, changes: &Changes) -> Result<(), Problem> {
    let mut request = AlterUserScramCredentialsRequest::default();
    for (key, text) in &changes.add {
        let Some(mechanism) = Mechanism::of(key) else {
            continue;
        };
        let (iterations, password) = credential(mechanism, text).map_err(Problem::Wrong)?;
        if password.is_empty() {
            return Err(ClientError::refused(
                ErrorCode::UnacceptableCredential.code(),
                Some("Password must not be empty"),
            )
            .into());
        }
        let mut salt = vec![0; SALT_BYTES];
        getrandom::fill(&mut salt)
            .map_err(|error| Problem::Failed(format!("no random bytes: {error}")))?;
        let mut entry = ScramCredentialUpsertion::default();
        user.clone_into(&mut entry.name);
        entry.mechanism = mechanism.code();
        entry.iterations = iterations;
        // Refused by the server above a bound, so it is not counted out here first.
        let rounds = u32::try_from(iterations)
            .unwrap_or_default()
            .min(ITERATIONS_MAX);
        entry.salted_password = mechanism.salted(password.as_bytes(), &salt, rounds);
        entry.salt = salt;
        request.upsertions.push(entry);
    }
    for key in &changes.delete {
        let Some(mechanism) = Mechanism::of(key) else {
            continue;
        };
        let mut entry = ScramCredentialDeletion::default();
        user.clone_into(&mut entry.name);
        entry.mechanism = mechanism.code();
        request.deletions.push(entry);
    }
    controller::change(admin, "alterUserScramCredentials", &request, |answer| {
        let results = answer.results.iter();
        results
            .map(|result| (result.error_code, result.error_message.clone()))
            .collect()
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read_as_kafka_reads_them() {
        let check = |text: &str, expected: Result<(i32, &str), &str>| {
            let read = credential(Mechanism::Sha256, text);
            assert_eq!(read, expected.map_err(str::to_owned), "{text}");
        };
        check("password=x", Ok((4096, "x")));
        check("password=a,b", Ok((4096, "a,b")));
        check("iterations=8192,password=x", Ok((8192, "x")));
        check("iterations=-1,password=x", Ok((4096, "x")));
        let invalid = |text: &str| Err(format!("Invalid credential property SCRAM_SHA_256={text}"));
        for text in ["x", "iterations=x,password=x", "iterations=5000"] {
            assert_eq!(credential(Mechanism::Sha256, text), invalid(text));
        }
        check("iterations=,password=x", Err("For input string: \"\""));
        check(
            "iterations=5,password=x",
            Err("Iterations 5 is less than the minimum 4096 required for SCRAM-SHA-256"),
        );
    }

    /// Password, salt and iterations of the example of RFC 7677, section 3.
    #[test]
    fn passwords_are_salted_as_the_rfc_says() {
        let salt = [
            0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36,
            0xfa, 0x81,
        ];
        let salted = Mechanism::Sha256.salted(b"pencil", &salt, 4096);
        assert_eq!(
            salted,
            [
                0xc4, 0xa4, 0x95, 0x10, 0x32, 0x3a, 0xb4, 0xf9, 0x52, 0xca, 0xc1, 0xfa, 0x99, 0x44,
                0x19, 0x39, 0xe7, 0x8e, 0xa7, 0x4d, 0x6b, 0xe8, 0x1d, 0xdf, 0x70, 0x96, 0xe8, 0x75,
                0x13, 0xdc, 0x61, 0x5d
            ]
        );
    }
}
