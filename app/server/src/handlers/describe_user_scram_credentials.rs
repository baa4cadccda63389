//! DescribeUserScramCredentials (key 50, version 0, broker and controller listeners, DESCRIBE Cluster;
//! KIP-554).
//!
//! Tells mechanisms and iterations, never keys.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::describe_user_scram_credentials_response::{
    CredentialInfo, DescribeUserScramCredentialsResult,
};
use ottla_protocol::messages::{
    DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
};

use crate::api_table::RequestContext;

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: DescribeUserScramCredentialsRequest,
) -> DescribeUserScramCredentialsResponse {
    let image = ctx.node.image();
    let mut known: BTreeMap<&str, Vec<CredentialInfo>> = BTreeMap::new();
    for ((mechanism, user), credential) in &image.scram.credentials {
        known.entry(user).or_default().push(CredentialInfo {
            mechanism: *mechanism,
            iterations: credential.iterations,
        });
    }
    let asked = request.users.unwrap_or_default();
    let mut seen = BTreeSet::new();
    let repeated: BTreeSet<&str> = asked
        .iter()
        .map(|user| user.name.as_str())
        .filter(|name| !seen.insert(*name))
        .collect();
    let users = if asked.is_empty() {
        known.keys().copied().collect()
    } else {
        seen.clone()
    };
    let results = users.into_iter().map(|user| {
        let told = if repeated.contains(user) {
            Err((
                ErrorCode::DuplicateResource,
                "Cannot describe SCRAM credentials for the same user twice in a single request",
            ))
        } else {
            known.get(user).cloned().ok_or((
                ErrorCode::ResourceNotFound,
                "Attempt to describe a user credential that does not exist",
            ))
        };
        let (error, message) = match &told {
            Ok(_) => (ErrorCode::None, String::new()),
            Err((error, text)) => (*error, format!("{text}: {user}")),
        };
        DescribeUserScramCredentialsResult {
            user: user.to_owned(),
            error_code: error.code(),
            error_message: Some(message),
            credential_infos: told.unwrap_or_default(),
        }
    });
    DescribeUserScramCredentialsResponse {
        error_message: Some(String::new()),
        results: results.collect(),
        ..DescribeUserScramCredentialsResponse::default()
    }
}
