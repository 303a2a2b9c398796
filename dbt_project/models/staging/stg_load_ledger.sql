with

source as (

    select * from {{ source('sales_data', 'load_ledger') }}

),

renamed as (

    select
        load_id,
        cast(sequence as bigint) as load_sequence,
        path as file_path,
        etag,
        sha256,
        cast(size_bytes as bigint) as size_bytes,
        business_unit,
        business_date,
        status,
        reason_code,
        reason,
        cast(rows_in_file as bigint) as rows_in_file,
        cast(rows_loaded as bigint) as rows_loaded,
        cast(rows_quarantined as bigint) as rows_quarantined,
        extra_columns,
        cast(attempt as integer) as attempt,
        run_id,
        cast(recorded_at as timestamp) as recorded_at,
        superseded_by
    from source

)

select * from renamed
