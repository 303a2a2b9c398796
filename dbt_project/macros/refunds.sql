{#-
Which order a refund takes back can change without the refund: when the order is corrected, or an earlier file comes late, or another
refund takes the same pieces back. So before fct_refunds it is noted in build_state.refunds_to_resolve which of its rows to resolve
again: those that name an order of a day that changed, and those without a name whose customer's orders or refunds changed on their day
or before. A refund of before the change stays as it is: no history is built again for a customer who once took something back.
Whom a refund concerns, before and after, is logged as changed from its day on.
-#}
{% macro note_refunds_to_resolve() %}
{%- if follows_changes() %}
insert into build_state.refunds_to_resolve (order_line_key)
select distinct refunds.order_line_key
from {{ this }} as refunds
left join (
    select orders.business_unit, orders.business_date, orders.order_id
    from {{ ref('fct_orders') }} as orders
    {{ join_touched_days('orders') }}
) as orders
    on
        refunds.business_unit = orders.business_unit
        and refunds.refunded_order_id = orders.order_id
        and refunds.business_date >= orders.business_date
        and coalesce(refunds.refunded_date, orders.business_date) = orders.business_date
where
    refunds.refunded_order_id is not null
    and refunds.order_line_key not in (select order_line_key from build_state.refunds_to_resolve)
    and (
        orders.order_id is not null
        or (refunds.business_unit, refunds.order_date) in (select business_unit, business_date from {{ touched_days() }} as touched)
    );
insert into build_state.refunds_to_resolve (order_line_key)
select distinct refunds.order_line_key
from {{ this }} as refunds
inner join (
    select customer_id, min(from_date) as from_date
    from ({{ customers_of_changed_refunds() }}) as changed
    where customer_id is not null
    group by customer_id
) as changed
    on
        refunds.named_customer_id = changed.customer_id
        and refunds.business_date >= changed.from_date
where
    refunds.refunded_order_id is null
    and refunds.order_line_key not in (select order_line_key from build_state.refunds_to_resolve);
{{ log_customers_of_refunds() }};
delete from {{ this }}
where (business_unit, business_date) in (select business_unit, business_date from {{ touched_days() }} as touched)
{%- else %}
delete from build_state.refunds_to_resolve
{%- endif %}
{% endmacro %}

{#- Whose orders changed, or what was taken back of them, and since when. -#}
{% macro customers_of_changed_refunds() -%}
    select customer_id, from_date
    from build_state.customer_changes
    where {{ is_not_followed_by_this('customer_changes') }}
    union all
    select known.named_customer_id as customer_id, known.business_date as from_date
    from {{ this }} as known
    {{ join_touched_days('known') }}
    union all
    select known.customer_id, known.business_date as from_date
    from {{ this }} as known
    {{ join_touched_days('known') }}
    union all
    select known.customer_id, known.business_date as from_date
    from {{ this }} as known
    inner join build_state.refunds_to_resolve as again on known.order_line_key = again.order_line_key
    union all
    select refunding.customer_id, refunding.business_date as from_date
    from {{ ref('fct_order_lines') }} as refunding
    {{ join_touched_days('refunding') }}
    where refunding.booking = 'refunds'
    union all
    -- of whom the named orders are, or may be
    select orders.customer_id, naming.business_date as from_date
    from (
        select refunding.business_unit, refunding.business_date, refunding.refunded_order_id, refunding.refunded_date
        from {{ ref('fct_order_lines') }} as refunding
        {{ join_touched_days('refunding') }}
        where refunding.booking = 'refunds'
        union all
        select known.business_unit, known.business_date, known.refunded_order_id, known.refunded_date
        from {{ this }} as known
        inner join build_state.refunds_to_resolve as again on known.order_line_key = again.order_line_key
    ) as naming
    inner join {{ ref('fct_orders') }} as orders
        on
            naming.business_unit = orders.business_unit
            and naming.refunded_order_id = orders.order_id
            and naming.business_date >= orders.business_date
            and coalesce(naming.refunded_date, orders.business_date) = orders.business_date
{%- endmacro %}

{% macro is_not_followed_by_this(log) -%}
    sequence > coalesce((select max(sequence) from build_state.watermarks where log = '{{ log }}' and model = '{{ model.name }}'), 0)
{%- endmacro %}

{% macro log_customers_of_refunds() %}
insert into build_state.customer_changes (sequence, customer_id, from_date)
select {{ next_sequence('customer_changes') }}, refunds.customer_id, min(refunds.business_date)
from {{ this }} as refunds
where
    refunds.customer_id is not null
    and (
        refunds.order_line_key in (select order_line_key from build_state.refunds_to_resolve)
        or (refunds.business_unit, refunds.business_date) in (select business_unit, business_date from {{ touched_days() }} as touched)
    )
group by refunds.customer_id
{% endmacro %}

{#- After fct_refunds, the last model to say who changed: it also says how far the log may be followed. -#}
{% macro log_resolved_refunds() %}
{{ log_customers_of_refunds() }};
delete from build_state.refunds_to_resolve;
{{ set_watermark('day_changes') }};
{{ set_watermark('customer_changes', []) }}
{% endmacro %}

{% macro of_candidate() -%}
        orders.order_key,
        orders.business_date as order_date,
        orders.ordered_at,
        orders.customer_id,
        orders.main_product_id,
        orders.currency
{%- endmacro %}

{#- Refunds are taken in their sequence. -#}
{% macro is_before(one, other) -%}
    (
        {{ one }}.business_date < {{ other }}.business_date
        or (
            {{ one }}.business_date = {{ other }}.business_date
            and (
                {{ one }}.transacted_at < {{ other }}.transacted_at
                or ({{ one }}.transacted_at = {{ other }}.transacted_at and {{ one }}.order_line_key < {{ other }}.order_line_key)
            )
        )
    )
{%- endmacro %}
