//! The configuration file: `/etc/warren/warren.toml`, every key optional, unknown keys refused.
//!
//! Only what a host must know before it reaches the database lives here; everything else is a
//! setting in the database. `WARREN_<KEY>` in the environment overrides a key. Nothing but this
//! module reads the environment's configuration.

use serde::Deserialize;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Where the file is looked for when no `--config` is given; it need not exist.
pub const DEFAULT_PATH: &str = "/etc/warren/warren.toml";

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
    /// Address that profiles name in `remote` lines until one is set for the host.
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
        key: &'static str,
        value: String,
        expected: &'static str,
    },
    UnknownOverride {
        name: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Read { path, .. } => write!(f, "could not read {}", path.display()),
            ConfigError::Parse { path, message } => write!(f, "{}: {message}", path.display()),
            ConfigError::Value { key, value, expected } => {
                write!(f, "{key} = {value:?} is not valid: expected {expected}")
            }
            ConfigError::UnknownOverride { name } => {
                write!(f, "environment variable {name} names no key of the configuration")
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
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Config, ConfigError> {
        let at = path.unwrap_or(Path::new(DEFAULT_PATH));
        let text = match std::fs::read_to_string(at) {
            Ok(text) => text,
            Err(e) if path.is_none() && e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(ConfigError::Read { path: at.to_owned(), source }),
        };
        let mut raw: Raw = toml::from_str(&text).map_err(|e| ConfigError::Parse {
            path: at.to_owned(),
            message: parse_message(&e, &text),
        })?;
        for (name, value) in env {
            if let Some(key) = name.strip_prefix("WARREN_") {
                raw.set(key, value, &name)?;
            }
        }
        raw.resolve()
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

    fn resolve(self) -> Result<Config, ConfigError> {
        let or = |value: Option<String>, default: &str| value.unwrap_or(default.to_owned());
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
            host_name: self.host_name.filter(|name| !name.is_empty()),
            public_address: self.public_address.filter(|text| !text.is_empty()),
            mongod: or(self.mongod, "mongod").into(),
            openvpn: or(self.openvpn, "openvpn").into(),
            edge_user: or(self.edge_user, "warren-edge"),
            openvpn_user: or(self.openvpn_user, "warren-openvpn"),
            database_user: or(self.database_user, "warren"),
        })
    }
}

fn address(key: &'static str, text: String) -> Result<SocketAddr, ConfigError> {
    text.parse().map_err(|_| bad(key, &text, "an address with a port, as \"[::]:443\""))
}

fn directory(key: &'static str, text: String) -> Result<PathBuf, ConfigError> {
    let path = PathBuf::from(&text);
    if path.is_absolute() { Ok(path) } else { Err(bad(key, &text, "an absolute path")) }
}

fn bad(key: &'static str, value: &str, expected: &'static str) -> ConfigError {
    ConfigError::Value { key, value: value.to_owned(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, env: &[(&str, &str)]) -> Result<Config, String> {
        let raw: Result<Raw, _> = toml::from_str(text);
        let mut raw = raw.map_err(|e| parse_message(&e, text))?;
        for (name, value) in env {
            let key = name.strip_prefix("WARREN_").unwrap_or(name);
            raw.set(key, (*value).to_owned(), name).map_err(|e| e.to_string())?;
        }
        raw.resolve().map_err(|e| e.to_string())
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
            ("log_level = \"loud\"", "log_level = \"loud\""),
            ("\n\nhost_name = 5", "line 3: invalid type"),
        ] {
            let error = load(text, &[]).expect_err(text);
            assert!(error.contains(want), "{text}: {error}");
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
    fn the_database_address_is_a_secret() {
        let config = load("mongodb_uri = \"mongodb://u:pw@db/\"", &[]).expect("valid");
        assert!(!format!("{config:?}").contains("pw"));
    }
}
