with

source as (

    select * from {{ source('sales_data', 'business_units') }}

),

declarations as (

    select * from {{ source('sales_data', 'unit_declarations') }}

),

renamed as (

    select
        source.business_unit_id,
        source.country,
        source.unit_name,
        source.folder,
        source.time_zone,
        upper({{ json_text('declarations.declaration', 'currency') }}) as currency
    from source
    left join declarations on source.business_unit_id = declarations.business_unit_id

)

select * from renamed
