//! `security.protocol`, `sasl.*` and `ssl.*`.

use krafka::auth::{AuthConfig, TlsConfig};

use super::settings::{Settings, exception, invalid};

/// What the keys ask for; `None` for PLAINTEXT.
///
/// # Errors
/// Kafka's exception, or one sentence for what this client does not speak.
pub(crate) fn security(settings: &Settings) -> Result<Option<AuthConfig>, String> {
    let (tls, sasl) = settings.choice(
        "security.protocol",
        (false, false),
        &[
            ("PLAINTEXT", (false, false)),
            ("SSL", (true, false)),
            ("SASL_PLAINTEXT", (false, true)),
            ("SASL_SSL", (true, true)),
        ],
    )?;
    let tls = if tls {
        Some(tls_config(settings)?)
    } else {
        None
    };
    let auth = if sasl {
        Some(sasl_config(settings)?)
    } else {
        None
    };
    Ok(match (auth, tls) {
        (Some(auth), Some(tls)) => Some(auth.with_tls(tls)),
        (Some(auth), None) => Some(auth),
        (None, Some(tls)) => Some(AuthConfig::ssl(tls)),
        (None, None) => None,
    })
}

fn sasl_config(settings: &Settings) -> Result<AuthConfig, String> {
    let mechanism = settings.text("sasl.mechanism").unwrap_or("GSSAPI");
    let jaas = settings.text("sasl.jaas.config").ok_or_else(|| {
        "java.lang.IllegalArgumentException: Could not find a 'KafkaClient' entry in the JAAS \
         configuration. System property 'java.security.auth.login.config' is not set"
            .to_owned()
    })?;
    let option = |name: &str| {
        jaas_option(jaas, name).ok_or_else(|| {
            format!(
                "java.lang.IllegalArgumentException: Value of sasl.jaas.config lacks the option {name}"
            )
        })
    };
    match mechanism {
        "PLAIN" => Ok(AuthConfig::sasl_plain(
            option("username")?,
            option("password")?,
        )),
        "SCRAM-SHA-256" => Ok(AuthConfig::sasl_scram_sha256(
            option("username")?,
            option("password")?,
        )),
        "SCRAM-SHA-512" => Ok(AuthConfig::sasl_scram_sha512(
            option("username")?,
            option("password")?,
        )),
        other => Err(exception(&format!(
            "sasl.mechanism={other} is not served by this client; use PLAIN, SCRAM-SHA-256 or \
             SCRAM-SHA-512"
        ))),
    }
}

/// The value of an option in `some.LoginModule required username="a" password="b";`.
fn jaas_option(jaas: &str, name: &str) -> Option<String> {
    let mut rest = jaas;
    loop {
        let at = rest.find(name)?;
        let before = rest.get(..at)?.chars().next_back();
        rest = rest.get(at + name.len()..)?;
        let Some(value) = rest.trim_start().strip_prefix('=') else {
            continue;
        };
        if before.is_some_and(|c| !c.is_whitespace()) {
            continue;
        }
        let value = value.trim_start();
        return Some(match value.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => value
                .split(|c: char| c.is_whitespace() || c == ';')
                .next()
                .unwrap_or_default()
                .to_owned(),
        });
    }
}

/// Text up to the quote that ends it; a backslash takes the next character as it is.
fn unquote(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    out
}

fn tls_config(settings: &Settings) -> Result<TlsConfig, String> {
    if settings.text("ssl.endpoint.identification.algorithm") == Some("") {
        return Err(exception(
            "ssl.endpoint.identification.algorithm= (no check of the host name) is not served by this \
             client; give the server a certificate with its name",
        ));
    }
    let mut tls = TlsConfig::new();
    if let Some(pem) = settings.text("ssl.truststore.certificates") {
        tls = tls.with_ca_cert_pem(pem);
    } else if let Some(path) = settings.text("ssl.truststore.location") {
        only_pem(settings, "ssl.truststore.type")?;
        tls = tls.with_ca_cert(path);
    }
    let chain = settings.text("ssl.keystore.certificate.chain");
    let key = settings.text("ssl.keystore.key");
    if let (Some(chain), Some(key)) = (chain, key) {
        tls = tls.with_client_cert_pem(chain, key.as_bytes().to_vec());
    } else if let Some(path) = settings.text("ssl.keystore.location") {
        only_pem(settings, "ssl.keystore.type")?;
        tls = tls.with_client_cert(path, path);
    }
    if settings.text("ssl.key.password").is_some() {
        return Err(exception(
            "ssl.key.password is not served by this client; use a key that is not encrypted",
        ));
    }
    Ok(tls)
}

/// Kafka differs: a store of keys has to be PEM, which Kafka's clients take as well; JKS and PKCS12 are
/// formats of Java.
fn only_pem(settings: &Settings, key: &'static str) -> Result<(), String> {
    match settings.text(key).unwrap_or("JKS") {
        kind if kind.eq_ignore_ascii_case("PEM") => Ok(()),
        kind => Err(invalid(key, kind, "this client reads stores of type PEM")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::tests::settings;
    use super::*;

    #[test]
    fn options_of_a_login_are_found() {
        let jaas = r#"org.apache.kafka.X required username="a\"b" password=secret;"#;
        assert_eq!(jaas_option(jaas, "username").as_deref(), Some("a\"b"));
        assert_eq!(jaas_option(jaas, "password").as_deref(), Some("secret"));
        assert_eq!(jaas_option(jaas, "token"), None);
        assert_eq!(
            jaas_option("xusername=\"a\" username=\"b\"", "username").as_deref(),
            Some("b")
        );
    }

    #[test]
    fn protocols_need_what_they_are_made_of() {
        let check = |pairs: &[(&str, &str)], expected: Result<bool, &str>| {
            let made = security(&settings(pairs)).map(|auth| auth.is_some());
            match (made, expected) {
                (Ok(made), Ok(expected)) => assert_eq!(made, expected, "{pairs:?}"),
                (Err(error), Err(text)) => assert!(error.contains(text), "{error}"),
                (made, expected) => panic!("{pairs:?}: {made:?}, not {expected:?}"),
            }
        };
        let plain = r#"x required username="u" password="p";"#;
        check(&[], Ok(false));
        check(&[("security.protocol", "PLAINTEXT")], Ok(false));
        check(&[("security.protocol", "SSL")], Ok(true));
        check(
            &[
                ("security.protocol", "SASL_PLAINTEXT"),
                ("sasl.mechanism", "PLAIN"),
                ("sasl.jaas.config", plain),
            ],
            Ok(true),
        );
        check(&[("security.protocol", "SASL_SSL")], Err("KafkaClient"));
        check(
            &[
                ("security.protocol", "SSL"),
                ("ssl.truststore.location", "/x"),
            ],
            Err("type PEM"),
        );
        check(
            &[("security.protocol", "TLS")],
            Err("String must be one of"),
        );
    }
}
