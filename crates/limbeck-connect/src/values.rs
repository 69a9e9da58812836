//! The values of all parameters: of the connection string, then of its service, then of the environment.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::conninfo;
use crate::environment::Environment;
use crate::error::{ConnectError, Origin};
use crate::parameter::{PARAMETERS, Support, nearest};
use crate::service;

/// The value of each parameter that has one, and where it is from.
#[derive(Debug, Default)]
pub(crate) struct Values(BTreeMap<&'static str, (String, Origin)>);

impl Values {
    /// Collects the values in libpq's order: what stands in the string wins over the service, that over the environment.
    ///
    /// # Errors
    /// [`ConnectError`] for a string or a service that cannot be read, and for a parameter that is not supported.
    pub(crate) fn collect(
        text: &str,
        origin: &Origin,
        environment: &Environment,
    ) -> Result<Self, ConnectError> {
        let mut values = Self::default();
        for (name, value) in conninfo::parse(text, origin)? {
            // A later one wins: a URL's parameters over its address.
            values.0.insert(name, (value, origin.clone()));
        }
        for name in ["service", "servicefile"] {
            values.add_variable(name, environment);
        }
        if let Some((name, from)) = values.get("service") {
            let file = values.get("servicefile");
            let (pairs, from) = service::read(name, from, file, environment)?;
            for (name, value) in pairs {
                values.0.entry(name).or_insert((value, from.clone()));
            }
        }
        for parameter in PARAMETERS {
            values.add_variable(parameter.name, environment);
        }
        // A setting of old, which still asks for TLS.
        if environment.get("PGREQUIRESSL") == Some("1") {
            let origin = Origin::Environment("PGREQUIRESSL".to_owned());
            let require = ("require".to_owned(), origin);
            values.0.entry("sslmode").or_insert(require);
        }
        values.check_support()?;
        Ok(values)
    }

    fn add_variable(&mut self, name: &'static str, environment: &Environment) {
        let parameter = PARAMETERS.iter().find(|it| it.name == name);
        let Some(variable) = parameter.and_then(|it| it.variable) else {
            return;
        };
        if let Some(value) = environment.get(variable) {
            let origin = Origin::Environment(variable.to_owned());
            let entry = self.0.entry(name);
            entry.or_insert_with(|| (value.to_owned(), origin));
        }
    }

    fn check_support(&self) -> Result<(), ConnectError> {
        for parameter in PARAMETERS {
            let Support::Only { values, reason } = parameter.support else {
                continue;
            };
            let Some((value, origin)) = self.get(parameter.name) else {
                continue;
            };
            if values.iter().any(|it| it.eq_ignore_ascii_case(value)) {
                continue;
            }
            let accepted: Vec<_> = values.iter().copied().filter(|it| !it.is_empty()).collect();
            let remedy = match accepted.is_empty() {
                true => "remove it".to_owned(),
                false => format!("remove it, or set it to {}", accepted.join(" or ")),
            };
            let problem = format!("is not supported: {reason}");
            return Err(ConnectError::setting(
                parameter.name,
                origin,
                problem,
                remedy,
            ));
        }
        Ok(())
    }

    /// Returns the value of a parameter; an empty one counts as none.
    pub(crate) fn get(&self, name: &str) -> Option<(&str, &Origin)> {
        let (value, origin) = self.0.get(name)?;
        (!value.is_empty()).then_some((value.as_str(), origin))
    }

    /// Returns the text of a parameter.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).map(|(value, _)| value)
    }

    /// Returns where a parameter's value is from.
    pub(crate) fn origin(&self, name: &str) -> Origin {
        self.get(name)
            .map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    /// Returns the choice that a parameter names.
    ///
    /// # Errors
    /// [`ConnectError::Setting`] for a value that is none of `choices`.
    pub(crate) fn choice<T: Copy>(
        &self,
        name: &str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, ConnectError> {
        let Some((value, origin)) = self.get(name) else {
            return Ok(None);
        };
        if let Some((_, it)) = choices.iter().find(|(it, _)| *it == value) {
            return Ok(Some(*it));
        }
        let names = choices.iter().map(|(it, _)| *it);
        let known = names.clone().collect::<Vec<_>>().join(", ");
        let remedy = match nearest(&value.to_ascii_lowercase(), names) {
            Some(near) => format!("did you mean {near}? It is one of {known}"),
            None => format!("write one of {known}"),
        };
        Err(ConnectError::setting(name, origin, invalid(value), remedy))
    }

    /// Returns the number that a parameter names.
    ///
    /// # Errors
    /// [`ConnectError::Setting`] for a value that is no number.
    pub(crate) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, ConnectError> {
        let Some((value, origin)) = self.get(name) else {
            return Ok(None);
        };
        match value.trim().parse() {
            Ok(it) => Ok(Some(it)),
            Err(_) => {
                let remedy = "write a whole number";
                Err(ConnectError::setting(name, origin, invalid(value), remedy))
            }
        }
    }
}

/// Says that a value is invalid; shows it only where it surely is a word and no part of something else.
pub(crate) fn invalid(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+');
    match value.len() <= 32 && value.chars().all(plain) {
        true => format!("has the invalid value {value}"),
        false => "has an invalid value".to_owned(),
    }
}
