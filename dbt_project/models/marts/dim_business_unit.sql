with

business_units as (

    select * from {{ ref('stg_business_units') }}

),

final as (

    select
        business_unit_id,
        country,
        unit_name,
        folder,
        time_zone,
        currency
    from business_units

)

select * from final
