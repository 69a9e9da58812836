//! The code that a struct's derive writes: its table by builder calls, its columns as constants, its registration.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::{GenericParam, Lifetime};

use crate::table::Table;

/// The implementation of `Model` and the registration.
pub(crate) fn table(table: &Table) -> TokenStream {
    let Table {
        ident,
        generics,
        limbeck,
        name,
        schema,
        is_registered,
        calls,
        columns,
        parts,
    } = table;
    let (in_impl, of_type, clause) = generics.split_for_impl();
    let refs = format_ident!("{}Columns", ident.unraw());
    let schema_name = schema.iter();
    let schema_option = schema.as_ref().map_or_else(
        || quote!(::core::option::Option::None),
        |it| quote!(::core::option::Option::Some(#it)),
    );
    let built = columns.iter().map(|it| it.tokens());
    let fields: Vec<_> = columns.iter().map(|it| &it.field).collect();
    let names = columns.iter().map(|it| &it.name);
    let registration = is_registered.then(|| register(table));
    quote! {
        const _: () = {
            use #limbeck as __limbeck;

            #[doc(hidden)]
            #[allow(missing_docs, unreachable_pub, dead_code, non_snake_case)]
            pub struct #refs {
                #(pub #fields: __limbeck::ColumnRef,)*
            }

            #[automatically_derived]
            impl #in_impl __limbeck::Model for #ident #of_type #clause {
                type Columns = #refs;

                const COLUMNS: Self::Columns = #refs { #(#fields: __limbeck::ColumnRef { name: #names },)* };

                fn table_name() -> (::core::option::Option<&'static str>, &'static str) {
                    (#schema_option, #name)
                }

                fn table() -> __limbeck::Table {
                    __limbeck::Table::new(#name)
                        .place(::core::concat!(::core::file!(), ":", ::core::line!()))
                        #(.schema(#schema_name))*
                        #calls
                        #(#built)*
                        #parts
                }
            }

            #registration
        };
    }
}

/// The registry takes functions without parameters, so every lifetime is the longest one.
fn register(table: &Table) -> TokenStream {
    let Table {
        ident, generics, ..
    } = table;
    let lifetimes: Vec<Lifetime> = generics
        .params
        .iter()
        .filter(|it| matches!(it, GenericParam::Lifetime(_)))
        .map(|_| Lifetime::new("'static", proc_macro2::Span::call_site()))
        .collect();
    let arguments = (!lifetimes.is_empty()).then(|| quote!(<#(#lifetimes),*>));
    quote! {
        __limbeck::__private::inventory::submit! {
            __limbeck::Registered::Table(<#ident #arguments as __limbeck::Model>::table)
        }
    }
}
