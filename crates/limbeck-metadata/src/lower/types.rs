//! Domains, composite types, range types and collations.

use std::collections::BTreeSet;

use limbeck_schema::kinds::{self, Provider, default_name};
use limbeck_schema::{Expr, Ident, Key, KindTag, Name, SqlType};

use crate::error::MetaDataError;
use crate::lower::Lowering;
use crate::lower::columns::default_expression;
use crate::model;
use crate::naming::fits;

impl<'a> Lowering<'a> {
    /// Lowers the declared types that are no enum types, and collations.
    pub(super) fn types(&mut self) -> Result<(), MetaDataError> {
        let metadata = self.metadata;
        for it in &metadata.collations {
            let place = it.place.as_deref();
            self.collation_object(it).map_err(|error| error.at(place))?;
        }
        for it in &metadata.domains {
            let place = it.place.as_deref();
            self.domain(it).map_err(|error| error.at(place))?;
        }
        for it in &metadata.composite_types {
            let place = it.place.as_deref();
            self.composite_type(it).map_err(|error| error.at(place))?;
        }
        for it in &metadata.ranges {
            let place = it.place.as_deref();
            self.range(it).map_err(|error| error.at(place))?;
        }
        Ok(())
    }

    /// The names of declared types, each found in the metadata's schema where it is written without one.
    pub(super) fn declared_types(
        metadata: &'a model::MetaData,
    ) -> impl Iterator<Item = Declared<'a>> {
        let model::MetaData {
            domains,
            composite_types,
            ranges,
            ..
        } = metadata;
        let domains = domains.iter().map(|it| {
            (
                KindTag::Domain,
                it.schema.as_ref(),
                &it.name,
                it.place.as_deref(),
            )
        });
        let composites = composite_types.iter().map(|it| {
            (
                KindTag::CompositeType,
                it.schema.as_ref(),
                &it.name,
                it.place.as_deref(),
            )
        });
        let ranges = ranges.iter().map(|it| {
            (
                KindTag::Range,
                it.schema.as_ref(),
                &it.name,
                it.place.as_deref(),
            )
        });
        domains.chain(composites).chain(ranges)
    }

    fn domain(&mut self, domain: &'a model::Domain) -> Result<(), MetaDataError> {
        let model::Domain {
            name,
            schema,
            ty,
            nullable,
            default,
            collation,
            checks,
            comment,
            place: _,
        } = domain;
        let name = self.type_name(schema.as_ref(), name, "domain")?;
        let object = || format!("domain {name}");
        let base = self.needed_type(ty, object)?;
        let is_over_domain = base.user_defined().is_some();
        let collation = self.collation(collation.as_deref(), object)?;
        let mut taken: BTreeSet<Ident> = checks.iter().filter_map(|it| it.name.clone()).collect();
        if taken.len() < checks.iter().filter(|it| it.name.is_some()).count() {
            let problem = "two of its checks have one name; rename one";
            return Err(MetaDataError::invalid(object(), problem));
        }
        for check in checks {
            self.domain_check(&name, check, &mut taken)?;
        }
        self.comment(Key::of(KindTag::Domain, &name), comment.as_deref());
        self.push(kinds::Domain {
            name,
            base,
            collation,
            nullable: *nullable,
            not_null: None,
            // A null over another domain is stored: it hides the default of the one below (`DefineDomain`).
            default: default.as_deref().and_then(|it| {
                if is_over_domain {
                    Some(Expr::new(it))
                } else {
                    default_expression(it)
                }
            }),
        });
        Ok(())
    }

    /// A check; without a name it gets PostgreSQL's, the first free one of `x_check`, `x_check1`, `x_check2`.
    fn domain_check(
        &mut self,
        domain: &Name,
        check: &'a model::DomainCheck,
        taken: &mut BTreeSet<Ident>,
    ) -> Result<(), MetaDataError> {
        let model::DomainCheck {
            name,
            expression,
            not_valid,
            comment,
        } = check;
        let object = || format!("check of domain {domain}");
        if expression.trim().is_empty() {
            let problem = "its expression is empty; write a condition on VALUE";
            return Err(MetaDataError::invalid(object(), problem));
        }
        let chosen = match name {
            Some(name) => {
                fits(name, object)?;
                name.clone()
            }
            None => {
                let numbered = (0..).map(|pass| match pass {
                    0 => default_name(&domain.name, &[], "check"),
                    _ => default_name(&domain.name, &[], &format!("check{pass}")),
                });
                let mut free = numbered.filter(|it| !taken.contains(it));
                free.next().unwrap_or_else(|| domain.name.clone())
            }
        };
        taken.insert(chosen.clone());
        let key = Key::part(KindTag::DomainCheck, domain, &chosen);
        if name.is_none() {
            self.unnamed.insert(key.clone());
        }
        self.comment(key, comment.as_deref());
        self.push(kinds::DomainCheck {
            domain: domain.clone(),
            name: chosen,
            expression: Expr::new(expression),
            valid: !not_valid,
        });
        Ok(())
    }

    fn composite_type(&mut self, ty: &'a model::CompositeType) -> Result<(), MetaDataError> {
        let model::CompositeType {
            name,
            schema,
            attributes,
            comment,
            place: _,
        } = ty;
        let name = self.type_name(schema.as_ref(), name, "composite type")?;
        let mut lowered: Vec<kinds::Attribute> = Vec::new();
        for it in attributes {
            let model::Attribute {
                name: attribute,
                ty,
                collation,
                comment,
            } = it;
            let object = || format!("attribute {attribute} of composite type {name}");
            fits(attribute, object)?;
            if lowered.iter().any(|it| it.name == *attribute) {
                let problem = "it is declared twice; remove one of them";
                return Err(MetaDataError::invalid(object(), problem));
            }
            let key = Key::part(KindTag::CompositeType, &name, attribute);
            self.comment(key, comment.as_deref());
            lowered.push(kinds::Attribute {
                name: attribute.clone(),
                ty: self.needed_type(ty, object)?,
                collation: self.collation(collation.as_deref(), object)?,
            });
        }
        self.comment(Key::of(KindTag::CompositeType, &name), comment.as_deref());
        self.push(kinds::CompositeType {
            name,
            attributes: lowered,
        });
        Ok(())
    }

    fn range(&mut self, range: &'a model::RangeType) -> Result<(), MetaDataError> {
        let model::RangeType {
            name,
            schema,
            subtype,
            opclass,
            collation,
            canonical,
            subtype_diff,
            multirange,
            comment,
            place: _,
        } = range;
        let name = self.type_name(schema.as_ref(), name, "range")?;
        let object = || format!("range {name}");
        let named = |what: &str, text: &Option<String>| match text
            .as_deref()
            .map(|it| (it, Name::parse(it)))
        {
            None => Ok(None),
            Some((_, Some(name))) => Ok(Some(self.catalog_name(name))),
            Some((text, None)) => {
                let problem =
                    format!("`{text}` is no name of a {what}; write `name` or `schema.name`");
                Err(MetaDataError::invalid(object(), problem))
            }
        };
        let mut lowered = kinds::Range {
            subtype: self.needed_type(subtype, object)?,
            opclass: named("operator class", opclass)?,
            collation: self.collation(collation.as_deref(), object)?,
            canonical: named("function", canonical)?,
            subtype_diff: named("function", subtype_diff)?,
            multirange: named("multirange type", multirange)?,
            name,
        };
        if lowered.multirange.is_none() {
            // Columns may be of the type, which has to be known by its name then.
            lowered.multirange = Some(lowered.default_multirange());
        }
        self.comment(Key::of(KindTag::Range, &lowered.name), comment.as_deref());
        self.push(lowered);
        Ok(())
    }

    fn collation_object(&mut self, collation: &'a model::Collation) -> Result<(), MetaDataError> {
        let model::Collation {
            name,
            schema,
            provider,
            locale,
            ctype,
            deterministic,
            rules,
            comment,
            place: _,
        } = collation;
        let name = self.resolve(schema.as_ref(), name);
        fits(&name.name, || "collation".into())?;
        let provider = provider.unwrap_or(Provider::Libc);
        let is_libc = provider == Provider::Libc;
        if ctype.is_some() && !is_libc {
            let problem = "ctype goes with the provider libc only";
            return Err(MetaDataError::invalid(format!("collation {name}"), problem));
        }
        self.comment(Key::of(KindTag::Collation, &name), comment.as_deref());
        self.push(kinds::Collation {
            name,
            provider,
            locale: locale.clone(),
            ctype: is_libc.then(|| ctype.as_ref().unwrap_or(locale).clone()),
            deterministic: *deterministic,
            rules: rules.clone(),
        });
        Ok(())
    }

    /// The name of a type, which a table's row type must not have too.
    fn type_name(
        &self,
        schema: Option<&Ident>,
        name: &Ident,
        kind: &str,
    ) -> Result<Name, MetaDataError> {
        let name = self.resolve_type(schema, name);
        let object = || format!("{kind} {name}");
        fits(&name.name, object)?;
        if self.tables.contains_key(&name) || self.enums.contains_key(&name) {
            return Err(MetaDataError::Collision {
                name: name.to_string(),
                first: format!("a table or enum {name}"),
                second: object(),
            });
        }
        Ok(name)
    }

    fn needed_type(
        &self,
        spelled: &'a str,
        object: impl Fn() -> String,
    ) -> Result<SqlType, MetaDataError> {
        self.sql_type(spelled).ok_or_else(|| {
            let problem = format!("`{spelled}` is no type; write it as SQL does, `varchar(50)`");
            MetaDataError::invalid(object(), problem)
        })
    }
}

/// Kind, schema, name and place of a declared type.
pub(super) type Declared<'a> = (KindTag, Option<&'a Ident>, &'a Ident, Option<&'a str>);
