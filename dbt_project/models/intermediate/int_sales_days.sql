with

loads as (

    -- not by way of staging: a test that the ledger is out of balance is to raise an alarm, not to stop every build
    select * from {{ source('sales_data', 'load_ledger') }}
    -- reference files are in the ledger, too; they belong to no date
    where
        status = 'loaded'
        and business_date is not null

),

final as (

    select
        business_unit,
        business_date,
        cast(sum(rows_loaded) as bigint) as rows_loaded,
        -- rows move between the files of a day when who owns them is settled again: that changes the counts
        md5({{ dbt.listagg("load_id || ':' || rows_loaded || ':' || rows_quarantined", "','", 'order by load_id') }})
            as content_hash
    from loads
    group by business_unit, business_date

)

select * from final
