//! `kafka-delegation-tokens`: tokens that stand for a user (KIP-48): made, renewed, expired and shown.

use std::process::ExitCode;

use clap::Command;
use ottla_client::{Admin, ClientError};
use ottla_protocol::messages::create_delegation_token_request::CreatableRenewers;
use ottla_protocol::messages::describe_delegation_token_request::DescribeDelegationTokenOwner;
use ottla_protocol::messages::describe_delegation_token_response::DescribedDelegationToken;
use ottla_protocol::messages::{
    CreateDelegationTokenRequest, DescribeDelegationTokenRequest, ExpireDelegationTokenRequest,
    RenewDelegationTokenRequest,
};
use serde_json::{Value, json};

use crate::common::dates::Pattern;
use crate::common::jopt::{Options, flag, optional_number, optional_value};
use crate::common::principal::Principal;
use crate::common::usage::{self, Failure};
use crate::common::{base64, client, dates, format, output};

/// The actions, in the order in which Kafka's tool looks for them, with the options that each needs and
/// those that it does not take.
const ACTIONS: [(&str, &[&str], &[&str]); 4] = [
    (
        "create",
        &["max-life-time-period"],
        &["hmac", "renew-time-period", "expiry-time-period"],
    ),
    (
        "renew",
        &["hmac", "renew-time-period"],
        &[
            "renewer-principal",
            "max-life-time-period",
            "expiry-time-period",
            "owner-principal",
        ],
    ),
    (
        "expire",
        &["hmac", "expiry-time-period"],
        &[
            "max-life-time-period",
            "renew-time-period",
            "owner-principal",
        ],
    ),
    (
        "describe",
        &[],
        &[
            "max-life-time-period",
            "hmac",
            "renew-time-period",
            "expiry-time-period",
        ],
    ),
];

/// How times are shown.
const TIMES: &str = "yyyy-MM-dd'T'HH:mm";

/// The options.
pub(crate) fn command() -> Command {
    client::options(Command::new("delegation-tokens"))
        .about("Create, renew, expire and describe tokens that stand for a user")
        .arg(flag("create", "Make a token for yourself or --owner-principal."))
        .arg(flag("renew", "Move the time at which a token expires."))
        .arg(flag("expire", "Let a token expire at once or later."))
        .arg(flag("describe", "Show tokens that you own or may see."))
        .arg(optional_value(
            "owner-principal",
            "type:name",
            "Whose token it is to be; with --describe whose tokens to show.",
        ))
        .arg(optional_value(
            "renewer-principal",
            "type:name",
            "Who may renew the token; may be given again.",
        ))
        .arg(optional_number(
            "max-life-time-period",
            "ms",
            "Longest life of the token; -1 for the server's.",
        ))
        .arg(optional_number(
            "renew-time-period",
            "ms",
            "Time from now until it expires; -1 for the server's.",
        ))
        .arg(optional_number(
            "expiry-time-period",
            "ms",
            "Time from now until it expires; -1 for at once.",
        ))
        .arg(optional_value("hmac", "base64", "The token, as --create showed it."))
        .arg(format::option())
        .after_help(
            "Examples:\n  \
             ottla delegation-tokens --bootstrap-server localhost:9092 --command-config c.properties \
             --create --max-life-time-period -1\n  \
             ottla delegation-tokens --bootstrap-server localhost:9092 --command-config c.properties \
             --describe --owner-principal User:bob",
        )
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    usage::run(
        command(),
        "This tool helps to create, renew, expire, or describe delegation tokens.",
        args,
        work,
    )
}

fn work(options: &Options) -> Result<ExitCode, Failure> {
    let action = action(options)?;
    let as_json = format::is_json(options)?;
    // What is wrong with a value is no question of usage to Kafka's tool.
    let properties = client::properties_of(options)?;
    let mut admin = client::admin_for(options, &properties)?;
    match action {
        "create" => create(&mut admin, options, as_json)?,
        "renew" => renew(&mut admin, options)?,
        "expire" => expire(&mut admin, options)?,
        _ => describe(&mut admin, options, as_json)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The action of a command line that is right.
fn action(options: &Options) -> Result<&'static str, Failure> {
    let mut given = ACTIONS.iter().filter(|(name, _, _)| options.has(name));
    let (Some((action, needed, unfit)), None) = (given.next(), given.next()) else {
        return Err(Failure::Usage(
            "Command must include exactly one action: --create, --renew, --expire or --describe"
                .to_owned(),
        ));
    };
    options.required(&["bootstrap-server", "command-config"])?;
    options.required(needed)?;
    options.excluded(action, unfit)?;
    Ok(action)
}

/// A number that has to be there. Kafka differs: its tool fails with the message of a
/// `NullPointerException` where the value is missing or no number.
fn number(options: &Options, name: &str) -> Result<i64, Failure> {
    let found = options.number(name).map_err(|error| error.0)?;
    Ok(found.ok_or_else(|| format!("Option {name} requires a number as its argument"))?)
}

fn principals(options: &Options, name: &str) -> Result<Vec<Principal>, Failure> {
    let given = options.values(name).iter();
    Ok(given
        .map(|text| Principal::parse(text.trim()))
        .collect::<Result<_, String>>()?)
}

/// What Kafka's tool says of a cluster that refuses.
fn refused(error: &ClientError) -> Failure {
    Failure::Failed(error.to_java())
}

fn check(code: i16) -> Result<(), Failure> {
    ClientError::check(code, None).map_err(|error| refused(&error))
}

fn create(admin: &mut Admin, options: &Options, as_json: bool) -> Result<(), Failure> {
    let renewers = principals(options, "renewer-principal")?;
    let life_ms = number(options, "max-life-time-period")?;
    if !as_json {
        output::line(&format!(
            "Calling create token operation with renewers :{} , max-life-time-period :{life_ms}",
            list(&renewers)
        ));
    }
    let owner = principals(options, "owner-principal")?.into_iter().next();
    let mut request = CreateDelegationTokenRequest::default();
    request.max_lifetime_ms = life_ms;
    request.renewers = renewers
        .iter()
        .map(|renewer| {
            let mut entry = CreatableRenewers::default();
            entry.principal_type.clone_from(&renewer.kind);
            entry.principal_name.clone_from(&renewer.name);
            entry
        })
        .collect();
    if let Some(owner) = owner {
        request.owner_principal_type = Some(owner.kind);
        request.owner_principal_name = Some(owner.name);
    }
    let answer = admin
        .ask("createDelegationToken", &request)
        .map_err(|error| refused(&error))?;
    check(answer.error_code)?;
    let token = Token {
        id: answer.token_id,
        hmac: base64::encode(&answer.hmac),
        owner: Principal::new(&answer.principal_type, &answer.principal_name),
        requester: Principal::new(
            &answer.token_requester_principal_type,
            &answer.token_requester_principal_name,
        ),
        renewers,
        issued_ms: answer.issue_timestamp_ms,
        expires_ms: answer.expiry_timestamp_ms,
        ends_ms: answer.max_timestamp_ms,
    };
    if as_json {
        format::json(&token.to_json());
    } else {
        output::line(&format!(
            "Created delegation token with tokenId : {}",
            token.id
        ));
        output::text(&table(&[token]));
    }
    Ok(())
}

fn renew(admin: &mut Admin, options: &Options) -> Result<(), Failure> {
    let hmac = hmac(options)?;
    let period_ms = number(options, "renew-time-period")?;
    output::line(&format!(
        "Calling renew token operation with hmac :{hmac} , renew-time-period :{period_ms}"
    ));
    let mut request = RenewDelegationTokenRequest::default();
    request.hmac = base64::decode(hmac)?;
    request.renew_period_ms = period_ms;
    let answer = admin
        .ask("renewDelegationToken", &request)
        .map_err(|error| refused(&error))?;
    check(answer.error_code)?;
    // Kafka's tool ends these without an end of line.
    output::text(&format!(
        "Completed renew operation. New expiry date : {}",
        shown(answer.expiry_timestamp_ms)
    ));
    Ok(())
}

fn expire(admin: &mut Admin, options: &Options) -> Result<(), Failure> {
    let hmac = hmac(options)?;
    let period_ms = number(options, "expiry-time-period")?;
    output::line(&format!(
        "Calling expire token operation with hmac :{hmac} , expire-time-period :{period_ms}"
    ));
    let mut request = ExpireDelegationTokenRequest::default();
    request.hmac = base64::decode(hmac)?;
    request.expiry_time_period_ms = period_ms;
    let answer = admin
        .ask("expireDelegationToken", &request)
        .map_err(|error| refused(&error))?;
    check(answer.error_code)?;
    output::text(&format!(
        "Completed expire operation. New expiry date : {}",
        shown(answer.expiry_timestamp_ms)
    ));
    Ok(())
}

fn hmac(options: &Options) -> Result<&str, Failure> {
    let found = options.value("hmac").map_err(|error| error.0)?;
    Ok(found.ok_or_else(|| "Option hmac requires an argument".to_owned())?)
}

fn describe(admin: &mut Admin, options: &Options, as_json: bool) -> Result<(), Failure> {
    let owners = principals(options, "owner-principal")?;
    if !as_json {
        output::line(&if owners.is_empty() {
            "Calling describe token operation for current user.".to_owned()
        } else {
            format!(
                "Calling describe token operation for owners: {}",
                list(&owners)
            )
        });
    }
    let mut request = DescribeDelegationTokenRequest::default();
    let entry = |owner: &Principal| {
        let mut entry = DescribeDelegationTokenOwner::default();
        entry.principal_type.clone_from(&owner.kind);
        entry.principal_name.clone_from(&owner.name);
        entry
    };
    request.owners = Some(owners.iter().map(entry).collect());
    let answer = admin
        .ask("describeDelegationToken", &request)
        .map_err(|error| refused(&error))?;
    check(answer.error_code)?;
    let tokens: Vec<Token> = answer.tokens.into_iter().map(Token::of).collect();
    if as_json {
        format::json(&tokens.iter().map(Token::to_json).collect());
    } else {
        // What follows begins with an end of line.
        output::text(&format!("Total number of tokens : {}", tokens.len()));
        output::text(&table(&tokens));
    }
    Ok(())
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    id: String,
    /// In Base64.
    hmac: String,
    owner: Principal,
    requester: Principal,
    renewers: Vec<Principal>,
    /// Times in milliseconds since 1970.
    issued_ms: i64,
    expires_ms: i64,
    ends_ms: i64,
}

impl Token {
    fn of(token: DescribedDelegationToken) -> Self {
        let renewers = token.renewers.iter();
        Self {
            hmac: base64::encode(&token.hmac),
            owner: Principal::new(&token.principal_type, &token.principal_name),
            requester: Principal::new(
                &token.token_requester_principal_type,
                &token.token_requester_principal_name,
            ),
            renewers: renewers
                .map(|renewer| Principal::new(&renewer.principal_type, &renewer.principal_name))
                .collect(),
            issued_ms: token.issue_timestamp,
            expires_ms: token.expiry_timestamp,
            ends_ms: token.max_timestamp,
            id: token.token_id,
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "tokenId": self.id,
            "hmac": self.hmac,
            "owner": self.owner.to_string(),
            "requester": self.requester.to_string(),
            "renewers": self.renewers.iter().map(Principal::to_string).collect::<Vec<_>>(),
            "issueTimestampMs": self.issued_ms,
            "expiryTimestampMs": self.expires_ms,
            "maxTimestampMs": self.ends_ms,
        })
    }
}

/// A list as Java prints it.
fn list(principals: &[Principal]) -> String {
    let names: Vec<String> = principals.iter().map(Principal::to_string).collect();
    format!("[{}]", names.join(", "))
}

/// Local time, as long as it can be a date.
fn shown(ms: i64) -> String {
    let pattern = Pattern::new(TIMES).expect("it is a pattern");
    dates::local(ms).map_or_else(|| ms.to_string(), |at| pattern.show(at))
}

/// The table of tokens, each with an empty line before it, as Kafka's tool prints it.
fn table(tokens: &[Token]) -> String {
    let head = [
        "TOKENID",
        "HMAC",
        "OWNER",
        "REQUESTER",
        "RENEWERS",
        "ISSUEDATE",
        "EXPIRYDATE",
        "MAXDATE",
    ]
    .map(str::to_owned);
    let row = |token: &Token| {
        [
            token.id.clone(),
            token.hmac.clone(),
            token.owner.to_string(),
            token.requester.to_string(),
            list(&token.renewers),
            shown(token.issued_ms),
            shown(token.expires_ms),
            shown(token.ends_ms),
        ]
    };
    std::iter::once(head)
        .chain(tokens.iter().map(row))
        .map(
            |[id, hmac, owner, requester, renewers, issued, expires, ends]| {
                format!(
                    "\n{id:<15} {hmac:<30} {owner:<15} {requester:<15} {renewers:<25} {issued:<15} \
                 {expires:<15} {ends:<15}\n"
                )
            },
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::jopt;

    fn action_of(line: &str) -> Result<&'static str, String> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let options = jopt::parse(&command(), &args).map_err(|error| error.0)?;
        action(&options).map_err(|failure| match failure {
            Failure::Usage(text) | Failure::Failed(text) => text,
        })
    }

    #[test]
    fn each_action_takes_its_own_options() {
        let common = "--bootstrap-server h:1 --command-config c";
        let check = |line: &str, expected: Result<&str, &str>| {
            let found = action_of(&format!("{common} {line}"));
            assert_eq!(found, expected.map_err(str::to_owned), "{line}");
        };
        check("--create --max-life-time-period -1", Ok("create"));
        check("--renew --hmac abcd --renew-time-period -1", Ok("renew"));
        check("--describe --renewer-principal User:a", Ok("describe"));
        check(
            "--create",
            Err("Missing required argument \"[max-life-time-period]\""),
        );
        check(
            "--expire --expiry-time-period 1",
            Err("Missing required argument \"[hmac]\""),
        );
        check(
            "--describe --hmac abcd",
            Err("Option \"[describe]\" can't be used with option \"[hmac]\""),
        );
        check(
            "--create --describe",
            Err(
                "Command must include exactly one action: --create, --renew, --expire or --describe",
            ),
        );
        assert_eq!(
            action_of("--describe --command-config c"),
            Err("Missing required argument \"[bootstrap-server]\"".to_owned())
        );
    }
}
