//! Schemas' own objects that are no tables: types, collations, sequences.

use limbeck_schema::kinds::{self, Provider};
use limbeck_schema::{Ident, Key, KindTag, Literal, Name, Object};

use crate::lift::{Lift, Numbers};
use crate::lower::implied::collation_text;
use crate::model;

impl Lift<'_> {
    pub(super) fn collation(&self, collation: &kinds::Collation) -> model::Collation {
        let kinds::Collation {
            name,
            provider,
            locale,
            ctype,
            deterministic,
            rules,
        } = collation;
        model::Collation {
            name: name.name.clone(),
            schema: name.schema.clone(),
            provider: (*provider != Provider::Libc).then_some(*provider),
            locale: locale.clone(),
            ctype: ctype.clone().filter(|it| it != locale),
            deterministic: *deterministic,
            rules: rules.clone(),
            comment: self.comment_on(KindTag::Collation, name),
            place: None,
        }
    }

    pub(super) fn enum_type(&self, ty: &kinds::EnumType) -> model::EnumType {
        let kinds::EnumType { name, labels } = ty;
        model::EnumType {
            name: name.name.clone(),
            schema: name.schema.clone(),
            labels: labels.clone(),
            comment: self.comment_on(KindTag::EnumType, name),
            place: None,
        }
    }

    pub(super) fn domain(&self, domain: &kinds::Domain) -> model::Domain {
        let kinds::Domain {
            name,
            base,
            collation,
            nullable,
            // Metadata has no word for the constraint behind NOT NULL.
            not_null: _,
            default,
        } = domain;
        let checks =
            self.schema
                .parts(KindTag::DomainCheck, name)
                .filter_map(|(key, it)| match it {
                    Object::DomainCheck(it) => Some(self.domain_check(key, it)),
                    _ => None,
                });
        let mut checks: Vec<_> = checks.collect();
        let made = kinds::default_name(&name.name, &[], "check");
        if let [only] = checks.as_mut_slice() {
            only.name = only.name.take().filter(|it| *it != made);
        }
        model::Domain {
            name: name.name.clone(),
            schema: name.schema.clone(),
            ty: self.type_text(base),
            nullable: *nullable,
            default: default.as_ref().map(ToString::to_string),
            collation: collation.as_ref().map(collation_text),
            checks,
            comment: self.comment_on(KindTag::Domain, name),
            place: None,
        }
    }

    fn domain_check(&self, key: &Key, check: &kinds::DomainCheck) -> model::DomainCheck {
        let kinds::DomainCheck {
            domain: _,
            name,
            expression,
            valid,
        } = check;
        model::DomainCheck {
            name: Some(name.clone()),
            expression: expression.to_string(),
            not_valid: !valid,
            comment: self.comment(key),
        }
    }

    pub(super) fn composite_type(&self, ty: &kinds::CompositeType) -> model::CompositeType {
        let kinds::CompositeType { name, attributes } = ty;
        let attribute = |it: &kinds::Attribute| {
            let kinds::Attribute {
                name: attribute,
                ty,
                collation,
            } = it;
            model::Attribute {
                name: attribute.clone(),
                ty: self.type_text(ty),
                collation: collation.as_ref().map(collation_text),
                comment: self.comment(&Key::part(KindTag::CompositeType, name, attribute)),
            }
        };
        model::CompositeType {
            name: name.name.clone(),
            schema: name.schema.clone(),
            attributes: attributes.iter().map(attribute).collect(),
            comment: self.comment_on(KindTag::CompositeType, name),
            place: None,
        }
    }

    pub(super) fn range(&self, range: &kinds::Range) -> model::RangeType {
        let kinds::Range {
            name,
            subtype,
            opclass,
            collation,
            canonical,
            subtype_diff,
            multirange,
        } = range;
        let text = |it: &Option<Name>| it.as_ref().map(ToString::to_string);
        let named = multirange
            .as_ref()
            .filter(|it| **it != range.default_multirange());
        model::RangeType {
            name: name.name.clone(),
            schema: name.schema.clone(),
            subtype: self.type_text(subtype),
            opclass: text(opclass),
            collation: collation.as_ref().map(collation_text),
            canonical: text(canonical),
            subtype_diff: text(subtype_diff),
            multirange: named.map(ToString::to_string),
            comment: self.comment_on(KindTag::Range, name),
            place: None,
        }
    }

    /// A sequence of its own; none if a serial column brings it.
    pub(super) fn sequence(&self, sequence: &kinds::Sequence) -> Option<model::Sequence> {
        let kinds::Sequence {
            name,
            ty,
            options,
            unlogged,
        } = sequence;
        let owner = self.owner(name);
        if owner.is_some_and(|it| self.is_serial_with(it, sequence)) {
            return None;
        }
        let Numbers {
            start,
            increment,
            min,
            max,
            cache,
            cycle,
        } = Numbers::new(ty.as_str(), options);
        // A sequence of a partition or a foreign table, which are not managed, has an owner that cannot be declared.
        let owner = owner.filter(|it| self.schema.contains(&Key::of(KindTag::Table, &it.table)));
        Some(model::Sequence {
            name: name.name.clone(),
            schema: name.schema.clone(),
            ty: (ty.as_str() != "bigint").then(|| ty.as_str().to_owned()),
            start,
            increment,
            min,
            max,
            cache,
            cycle,
            unlogged: *unlogged,
            owned_by: owner.map(|it| model::OwnedBy {
                table: it.table.name.clone(),
                schema: it.table.schema.clone(),
                column: it.column.clone(),
            }),
            comment: self.comment_on(KindTag::Sequence, name),
            place: None,
        })
    }

    fn owner(&self, sequence: &Name) -> Option<&kinds::SequenceOwner> {
        match self.schema.get(&Key::of(KindTag::SequenceOwner, sequence)) {
            Some(Object::SequenceOwner(it)) => Some(it),
            _ => None,
        }
    }

    /// Whether a column's default is the next value of a sequence that is as `serial` would have made it.
    pub(super) fn is_serial(&self, column: &kinds::Column) -> bool {
        let sequence = column.table.sibling(serial_name(column));
        let Some(Object::Sequence(it)) = self.schema.get(&Key::of(KindTag::Sequence, &sequence))
        else {
            return false;
        };
        self.owner(&sequence).is_some_and(|owner| {
            owner.table == column.table
                && owner.column == column.name
                && self.is_serial_with(owner, it)
        })
    }

    fn is_serial_with(&self, owner: &kinds::SequenceOwner, sequence: &kinds::Sequence) -> bool {
        let key = Key::part(KindTag::Column, &owner.table, &owner.column);
        let Some(Object::Column(column)) = self.schema.get(&key) else {
            return false;
        };
        let next = format!("nextval({}::regclass)", Literal(&sequence.name.to_string()));
        sequence.name == column.table.sibling(serial_name(column))
            && sequence.ty == column.ty
            && !sequence.unlogged
            && Numbers::new(sequence.ty.as_str(), &sequence.options) == Numbers::default()
            && !column.nullable
            && column
                .default
                .as_ref()
                .is_some_and(|it| it.as_str() == next)
            && self.comment_on(KindTag::Sequence, &sequence.name).is_none()
    }
}

/// The name that `serial` gives a column's sequence.
pub(super) fn serial_name(column: &kinds::Column) -> Ident {
    kinds::default_name(&column.table.name, &[column.name.as_str()], "seq")
}
