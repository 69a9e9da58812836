//! Service files, after <https://www.postgresql.org/docs/18/libpq-pgservice.html>.

use std::path::{Path, PathBuf};

use crate::conninfo::Pairs;
use crate::environment::Environment;
use crate::error::{ConnectError, Origin};
use crate::parameter::{find, remedy};

/// Where service files of the whole system are, unless `PGSYSCONFDIR` says: of Debian, of builds from source.
const SYSTEM: [&str; 3] = ["/etc/postgresql-common", "/etc", "/usr/local/pgsql/etc"];

/// Reads a service: from the file that is named, or from the user's own, then from the system's.
pub(crate) fn read(
    service: &str,
    origin: &Origin,
    file: Option<(&str, &Origin)>,
    environment: &Environment,
) -> Result<(Pairs, Origin), ConnectError> {
    let mut files = Vec::new();
    match file {
        Some((path, from)) => {
            let path = PathBuf::from(path);
            if !path.is_file() {
                return Err(ConnectError::setting(
                    "servicefile",
                    from,
                    format!("names {}, which is not there", path.display()),
                    "mend the path",
                ));
            }
            files.push(path);
        }
        None => files.extend(environment.home().map(|it| it.join(".pg_service.conf"))),
    }
    match environment.get("PGSYSCONFDIR") {
        Some(folder) => files.push(Path::new(folder).join("pg_service.conf")),
        None => files.extend(SYSTEM.map(|it| Path::new(it).join("pg_service.conf"))),
    }
    for path in &files {
        let Ok(bytes) = std::fs::read(path) else {
            continue;
        };
        let from = Origin::Service {
            name: service.to_owned(),
            path: path.clone(),
        };
        if let Some(pairs) = search(&String::from_utf8_lossy(&bytes), service, &from)? {
            return Ok((pairs, from));
        }
    }
    let looked: Vec<_> = files
        .iter()
        .filter(|it| it.is_file())
        .map(|it| it.display().to_string())
        .collect();
    let remedy = match looked.is_empty() {
        true => {
            "there is no service file; write ~/.pg_service.conf, or set PGSERVICEFILE".to_owned()
        }
        false => format!(
            "add [{service}] to {}, or name another service",
            looked.join(" or ")
        ),
    };
    Err(ConnectError::setting(
        "service",
        origin,
        format!("names the service {service}, which no service file defines"),
        remedy,
    ))
}

/// Returns the settings below `[service]`, each as its first line gives it.
fn search(text: &str, service: &str, origin: &Origin) -> Result<Option<Pairs>, ConnectError> {
    let mut found = None::<Pairs>;
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            if found.is_some() {
                break;
            }
            if name.strip_suffix(']') == Some(service) {
                found = Some(Pairs::new());
            }
            continue;
        }
        let Some(pairs) = &mut found else {
            continue;
        };
        let Some((name, value)) = line.split_once('=') else {
            return Err(ConnectError::setting(
                "service",
                origin,
                match line.starts_with("ldap://") {
                    true => "refers to an LDAP server, which is not asked",
                    false => "has a line without =",
                },
                "write NAME=VALUE lines",
            ));
        };
        // libpq allows no blanks around the equals sign.
        let name = name.trim();
        if matches!(name, "service" | "servicefile") {
            return Err(ConnectError::setting(
                name,
                origin,
                "stands in a service",
                "a service cannot refer to another one; remove the line",
            ));
        }
        let Some(parameter) = find(name) else {
            let remedy = remedy(name).unwrap_or_else(|| "remove the line".to_owned());
            return Err(ConnectError::setting(name, origin, "is not known", remedy));
        };
        if name == "password" {
            crate::secret::register(value);
        }
        if !pairs.iter().any(|(other, _)| *other == parameter.name) {
            pairs.push((parameter.name, value.to_owned()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# services\n[other]\nhost=x\n\n[app]\nhost=localhost\nport=5433\nhost=y\n[last]\nsslmod=require\n\
                        [nested]\nservice=app\n[odd]\nnonsense\n";

    #[track_caller]
    fn check(service: &str, expected: Result<Option<&[(&str, &str)]>, &str>) {
        let origin = Origin::Service {
            name: service.to_owned(),
            path: "svc".into(),
        };
        let found = search(FILE, service, &origin).map_err(|it| it.to_string());
        match (found, expected) {
            (Ok(found), Ok(expected)) => {
                let found = found.as_ref().map(|it| {
                    let pairs = it.iter().map(|(name, value)| (*name, value.as_str()));
                    pairs.collect::<Vec<_>>()
                });
                assert_eq!(found.as_deref(), expected);
            }
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
            (found, expected) => panic!("{found:?} and not {expected:?}"),
        }
    }

    #[test]
    fn a_service_is_found_by_its_name() {
        check("app", Ok(Some(&[("host", "localhost"), ("port", "5433")])));
        check("other", Ok(Some(&[("host", "x")])));
        check("none", Ok(None));
        check(
            "last",
            Err(
                "the setting sslmod from the service last in svc is not known; did you mean sslmode?",
            ),
        );
        check("nested", Err("cannot refer to another one"));
        check("odd", Err("a line without ="));
    }
}
