MODEL (
  name seeds.countries,
  kind SEED (
    path '$root/seeds/countries.csv',
    csv_settings (keep_default_na = FALSE)
  ),
  description 'One row per name of a country or territory that a merchant outside the US states may be in: those that are published, and the other usual English names.',
  columns (
    country_name TEXT,
    country_code TEXT
  ),
  column_descriptions (
    country_name = 'Name, as merchant_state has it',
    country_code = 'Two-letter code of ISO 3166; one code may have several names'
  ),
  grain country_name,
  tags (
    seed
  ),
  audits (
    not_null(columns := (country_name, country_code)),
    unique_values(columns := (
      country_name
    ))
  )
)
