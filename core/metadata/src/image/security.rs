//! Access control entries, SCRAM credentials, delegation tokens and client quotas: kept without loss,
//! not judged here.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use ottla_base::Uuid;
use rpds::RedBlackTreeMapSync;

/// One access control entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    /// Kind of resource, by Kafka's number.
    pub resource_type: i8,
    /// Name of the resource.
    pub resource_name: String,
    /// Literal or prefixed, by Kafka's number.
    pub pattern_type: i8,
    /// Whom it concerns.
    pub principal: String,
    /// From where.
    pub host: String,
    /// The operation, by Kafka's number.
    pub operation: i8,
    /// Allow or deny, by Kafka's number.
    pub permission_type: i8,
}

/// All access control entries by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclsImage {
    entries: RedBlackTreeMapSync<Uuid, Arc<Acl>>,
}

impl Default for AclsImage {
    fn default() -> Self {
        Self {
            entries: RedBlackTreeMapSync::new_sync(),
        }
    }
}

impl AclsImage {
    /// The entry with this id.
    #[must_use]
    pub fn get(&self, id: Uuid) -> Option<&Acl> {
        self.entries.get(&id).map(AsRef::as_ref)
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = (Uuid, &Acl)> {
        self.entries.iter().map(|(id, acl)| (*id, acl.as_ref()))
    }

    pub(crate) fn insert(&mut self, id: Uuid, acl: Acl) {
        self.entries.insert_mut(id, Arc::new(acl));
    }

    pub(crate) fn remove(&mut self, id: Uuid) -> bool {
        self.entries.remove_mut(&id)
    }
}

/// What the server keeps of a SCRAM password.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramCredential {
    /// Salt of the password.
    pub salt: Vec<u8>,
    /// Verifies the client.
    pub stored_key: Vec<u8>,
    /// Proves the server.
    pub server_key: Vec<u8>,
    /// Rounds of the hash.
    pub iterations: i32,
}

impl fmt::Debug for ScramCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The keys must not reach a log.
        f.debug_struct("ScramCredential")
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

/// Credentials by mechanism (Kafka's number) and user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScramImage {
    /// Credentials by mechanism and user.
    pub credentials: BTreeMap<(i8, String), ScramCredential>,
}

/// A delegation token, without its secret, which is derived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelegationToken {
    /// Whom it stands for.
    pub owner: String,
    /// Who asked for it.
    pub requester: String,
    /// Who may renew it.
    pub renewers: Vec<String>,
    /// Made at.
    pub issue_timestamp: i64,
    /// Never valid past.
    pub max_timestamp: i64,
    /// Valid until, if not renewed.
    pub expiration_timestamp: i64,
}

/// Delegation tokens by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DelegationTokensImage {
    /// Tokens by id.
    pub tokens: BTreeMap<String, DelegationToken>,
}

/// Whom a quota concerns: entity types with a name, or none for the default of that type.
pub type QuotaEntity = Vec<(String, Option<String>)>;

/// Client quotas by entity and key.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClientQuotasImage {
    /// Values by key, by entity.
    pub entities: BTreeMap<QuotaEntity, BTreeMap<String, f64>>,
}
