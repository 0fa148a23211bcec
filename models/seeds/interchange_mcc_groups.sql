MODEL (
  name seeds.interchange_mcc_groups,
  kind SEED (
    path '$root/seeds/interchange_mcc_groups.csv'
  ),
  description 'One row per merchant category code with an interchange rate of its own; all others are of the group other.',
  columns (
    mcc INT,
    mcc_group TEXT,
    reason TEXT
  ),
  column_descriptions (
    mcc = 'Merchant category code',
    mcc_group = 'grocery, fuel, restaurant, travel or utility',
    reason = 'Why it is in the group'
  ),
  grain mcc,
  tags (
    seed
  ),
  audits (
    not_null(columns := (mcc, mcc_group, reason)),
    unique_values(columns := (
      mcc
    ))
  )
)
