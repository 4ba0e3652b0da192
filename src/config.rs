//! The configuration file: `/etc/warren/warren.toml`, every key optional, unknown keys refused.
//!
//! Only what a host must know before it reaches the database lives here; everything else is a
//! setting in the database. `WARREN_<KEY>` in the environment overrides a key. Nothing but this
//! module reads the environment's configuration.

use serde::Deserialize;
use std::ffi::OsString;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// Where the file is looked for when no `--config` is given; it need not exist.
pub const DEFAULT_PATH: &str = "/etc/warren/warren.toml";

/// What the name of a variable that overrides a key begins with.
const OVERRIDE: &str = "WARREN_";

/// The resolved configuration of a host.
#[derive(Clone, Debug)]
pub struct Config {
    /// `None`: the daemon supervises a local database of its own.
    pub mongodb_uri: Option<crate::base::secret::Secret>,
    /// Console and API (TLS).
    pub listen_https: SocketAddr,
    /// Redirects to HTTPS; `None` switches it off.
    pub listen_http: Option<SocketAddr>,
    pub state_dir: PathBuf,
    pub run_dir: PathBuf,
    pub log_json: bool,
    pub log_level: log::LevelFilter,
    /// Name shown for this host at its first start; the machine's host name by default.
    pub host_name: Option<String>,
    /// Address that profiles name in `remote` lines; the machine's own by default.
    pub public_address: Option<String>,
    pub mongod: PathBuf,
    pub openvpn: PathBuf,
    pub edge_user: String,
    pub openvpn_user: String,
    /// User the local database runs as when the daemon is root.
    pub database_user: String,
}

#[derive(Debug)]
pub enum ConfigError {
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    /// The message of the parser names line, column and key.
    Parse {
        path: PathBuf,
        message: String,
    },
    Value {
        from: Origin,
        bad: BadValue,
    },
    UnknownOverride {
        name: String,
    },
    OverrideNotText {
        name: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Read { path, .. } => write!(f, "could not read {}", path.display()),
            ConfigError::Parse { path, message } => write!(f, "{}: {message}", path.display()),
            ConfigError::Value { from, bad: BadValue { key, value, expected } } => {
                write!(f, "{from}: {key} = {value:?} is not valid: expected {expected}")
            }
            ConfigError::UnknownOverride { name } => {
                write!(f, "environment variable {name} names no key of the configuration")
            }
            ConfigError::OverrideNotText { name } => {
                write!(f, "environment variable {name} is not UTF-8")
            }
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ConfigError::Read { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    File { path: PathBuf, line: usize },
    Environment { name: String },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { path, line } => write!(f, "{}: line {line}", path.display()),
            Origin::Environment { name } => write!(f, "environment variable {name}"),
        }
    }
}

/// A value that its key does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadValue {
    key: &'static str,
    value: String,
    expected: &'static str,
}

impl BadValue {
    /// The environment overrides the file, whose keys stand at the beginnings of lines.
    fn origin(&self, path: &Path, text: &str, overrides: &[String]) -> Origin {
        let name = format!("{OVERRIDE}{}", self.key.to_uppercase());
        if overrides.contains(&name) {
            return Origin::Environment { name };
        }
        let key = |line: &str| line.split('=').next().map(|key| key.trim().to_owned());
        let at = text.lines().position(|line| key(line).as_deref() == Some(self.key));
        Origin::File { path: path.to_owned(), line: at.map_or(1, |at| at + 1) }
    }
}

/// The file as written; resolved and checked by [`Raw::resolve`].
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    mongodb_uri: Option<String>,
    listen_https: Option<String>,
    listen_http: Option<String>,
    state_dir: Option<String>,
    run_dir: Option<String>,
    log_format: Option<String>,
    log_level: Option<String>,
    host_name: Option<String>,
    public_address: Option<String>,
    mongod: Option<String>,
    openvpn: Option<String>,
    edge_user: Option<String>,
    openvpn_user: Option<String>,
    database_user: Option<String>,
}

impl Config {
    /// Reads `path` (or the default place, which may be missing) and the environment's overrides.
    pub fn load(
        path: Option<&Path>,
        env: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Config, ConfigError> {
        let at = path.unwrap_or(Path::new(DEFAULT_PATH));
        let text = match std::fs::read_to_string(at) {
            Ok(text) => text,
            Err(e) if path.is_none() && e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(ConfigError::Read { path: at.to_owned(), source }),
        };
        Config::of(at, &text, env)
    }

    fn of(
        at: &Path,
        text: &str,
        env: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Config, ConfigError> {
        let mut raw: Raw = toml::from_str(text).map_err(|e| ConfigError::Parse {
            path: at.to_owned(),
            message: parse_message(&e, text),
        })?;
        let mut overrides = Vec::new();
        for (name, value) in env {
            // Others may be anything but text: they are not ours.
            let Some(name) = name.to_str().filter(|name| name.starts_with(OVERRIDE)) else {
                continue;
            };
            let not_text = || ConfigError::OverrideNotText { name: name.to_owned() };
            let value = value.into_string().map_err(|_| not_text())?;
            raw.set(&name[OVERRIDE.len()..], value, name)?;
            overrides.push(name.to_owned());
        }
        raw.resolve().map_err(|bad| {
            let from = bad.origin(at, text, &overrides);
            ConfigError::Value { from, bad }
        })
    }
}

fn parse_message(error: &toml::de::Error, text: &str) -> String {
    let start = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = text.as_bytes()[..start].iter().filter(|b| **b == b'\n').count() + 1;
    format!("line {line}: {}", error.message())
}

impl Raw {
    fn set(&mut self, key: &str, value: String, name: &str) -> Result<(), ConfigError> {
        let slot = match key {
            "MONGODB_URI" => &mut self.mongodb_uri,
            "LISTEN_HTTPS" => &mut self.listen_https,
            "LISTEN_HTTP" => &mut self.listen_http,
            "STATE_DIR" => &mut self.state_dir,
            "RUN_DIR" => &mut self.run_dir,
            "LOG_FORMAT" => &mut self.log_format,
            "LOG_LEVEL" => &mut self.log_level,
            "HOST_NAME" => &mut self.host_name,
            "PUBLIC_ADDRESS" => &mut self.public_address,
            "MONGOD" => &mut self.mongod,
            "OPENVPN" => &mut self.openvpn,
            "EDGE_USER" => &mut self.edge_user,
            "OPENVPN_USER" => &mut self.openvpn_user,
            "DATABASE_USER" => &mut self.database_user,
            _ => return Err(ConfigError::UnknownOverride { name: name.to_owned() }),
        };
        *slot = Some(value);
        Ok(())
    }

    fn resolve(self) -> Result<Config, BadValue> {
        let or = |value: Option<String>, default: &str| value.unwrap_or(default.to_owned());
        let name = |key, value: Option<String>, default: &str| match or(value, default) {
            empty if empty.is_empty() => {
                Err(bad(key, "", "something; leave it out for the default"))
            }
            text => Ok(text),
        };
        let level = or(self.log_level, "info");
        Ok(Config {
            mongodb_uri: self.mongodb_uri.filter(|uri| !uri.is_empty()).map(Into::into),
            listen_https: address("listen_https", or(self.listen_https, "[::]:443"))?,
            listen_http: match or(self.listen_http, "[::]:80") {
                off if off.is_empty() => None,
                text => Some(address("listen_http", text)?),
            },
            state_dir: directory("state_dir", or(self.state_dir, "/var/lib/warren"))?,
            run_dir: directory("run_dir", or(self.run_dir, "/run/warren"))?,
            log_json: match or(self.log_format, "text").as_str() {
                "text" => false,
                "json" => true,
                other => return Err(bad("log_format", other, "\"text\" or \"json\"")),
            },
            log_level: level.parse().map_err(|_| {
                bad("log_level", &level, "\"error\", \"warn\", \"info\", \"debug\" or \"off\"")
            })?,
            host_name: self.host_name.map(host_name).transpose()?,
            public_address: self.public_address.map(public_address).transpose()?,
            mongod: name("mongod", self.mongod, "mongod")?.into(),
            openvpn: name("openvpn", self.openvpn, "openvpn")?.into(),
            edge_user: name("edge_user", self.edge_user, "warren-edge")?,
            openvpn_user: name("openvpn_user", self.openvpn_user, "warren-openvpn")?,
            database_user: name("database_user", self.database_user, "warren")?,
        })
    }
}

/// Shown to people only.
fn host_name(text: String) -> Result<String, BadValue> {
    let fits = !text.trim().is_empty() && text.chars().count() <= HOST_NAME_CHARS_MAX;
    match fits && !text.chars().any(char::is_control) {
        true => Ok(text),
        false => Err(bad("host_name", &text, "a name of 1 to 128 characters")),
    }
}

/// Stands in profiles, where a line ends at a space.
fn public_address(text: String) -> Result<String, BadValue> {
    let is_label = |label: &str| {
        let fits = (1..=63).contains(&label.len()) && !label.starts_with('-');
        fits && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let is_name = text.len() <= 253 && text.split('.').all(is_label);
    // Only digits and dots: an address with a mistake in it.
    let is_number = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match text.parse::<IpAddr>().is_ok() || (is_name && !is_number) {
        true => Ok(text),
        false => Err(bad("public_address", &text, "an IP address or a host name, without a port")),
    }
}

const HOST_NAME_CHARS_MAX: usize = 128;

fn address(key: &'static str, text: String) -> Result<SocketAddr, BadValue> {
    text.parse().map_err(|_| bad(key, &text, "an address with a port, as \"[::]:443\""))
}

fn directory(key: &'static str, text: String) -> Result<PathBuf, BadValue> {
    let path = PathBuf::from(&text);
    if path.is_absolute() { Ok(path) } else { Err(bad(key, &text, "an absolute path")) }
}

fn bad(key: &'static str, value: &str, expected: &'static str) -> BadValue {
    BadValue { key, value: value.to_owned(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    fn load(text: &str, env: &[(&str, &str)]) -> Result<Config, String> {
        let env = env.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Config::of(Path::new("/w.toml"), text, env).map_err(|e| e.to_string())
    }

    #[test]
    fn every_key_is_optional() {
        let config = load("", &[]).expect("defaults");
        assert_eq!(config.listen_https.port(), 443);
        assert!(config.mongodb_uri.is_none());
    }

    #[test]
    fn mistakes_are_named() {
        for (text, want) in [
            ("log_format = \"text\"\nlisten = 1", "line 2: unknown field `listen`"),
            ("listen_https = \"443\"", "listen_https = \"443\" is not valid"),
            ("state_dir = \"here\"", "expected an absolute path"),
            ("\nlog_level = \"loud\"", "/w.toml: line 2: log_level = \"loud\""),
            ("# listen_http = 1\nlisten_http=\"80\"", "/w.toml: line 2: listen_http = \"80\""),
            ("\n\nhost_name = 5", "/w.toml: line 3: invalid type"),
            ("host_name = \"\"", "line 1: host_name = \"\""),
            ("mongod = \"\"", "line 1: mongod = \"\""),
        ] {
            let error = load(text, &[]).expect_err(text);
            assert!(error.contains(want), "{text}: {error}");
        }
        let error =
            load("log_level = \"info\"", &[("WARREN_LOG_LEVEL", "loud")]).expect_err("loud");
        assert!(error.starts_with("environment variable WARREN_LOG_LEVEL: log_level"), "{error}");
    }

    #[test]
    fn clients_are_sent_to_addresses_and_names_only() {
        for (text, fits) in [
            ("vpn.example.com", true),
            ("vpn1", true),
            ("192.0.2.1", true),
            ("2001:db8::1", true),
            ("", false),
            ("not an address !", false),
            ("192.0.2.256", false),
            ("192.0.2.1:1194", false),
            ("-vpn.example", false),
            ("vpn..example", false),
        ] {
            let loaded = load(&format!("public_address = {text:?}"), &[]);
            assert_eq!(loaded.is_ok(), fits, "{text}: {loaded:?}");
        }
    }

    #[test]
    fn the_environment_overrides_and_its_typos_are_errors() {
        let config = load("listen_http = \"[::]:80\"", &[("WARREN_LISTEN_HTTP", "")]);
        assert!(config.expect("valid").listen_http.is_none());
        let error = load("", &[("WARREN_LISTEN_HTPP", "")]).expect_err("typo");
        assert!(error.contains("WARREN_LISTEN_HTPP"));
    }

    #[test]
    fn variables_that_are_not_text_matter_only_if_they_are_ours() {
        let odd = || OsString::from_vec(vec![0xff]);
        let load =
            |name: OsString| Config::of(Path::new("/w.toml"), "", [(name, odd())].into_iter());
        assert!(load(odd()).is_ok());
        assert!(load("LS_COLORS".into()).is_ok());
        let error = load("WARREN_HOST_NAME".into()).expect_err("not text").to_string();
        assert_eq!(error, "environment variable WARREN_HOST_NAME is not UTF-8");
    }

    #[test]
    fn the_database_address_is_a_secret() {
        let config = load("mongodb_uri = \"mongodb://u:pw@db/\"", &[]).expect("valid");
        assert!(!format!("{config:?}").contains("pw"));
    }
}
