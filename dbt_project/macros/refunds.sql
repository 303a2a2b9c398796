{#-
Which order a refund takes back can change without the refund: when the order is corrected, or an earlier file comes late. So before
fct_refunds it is noted in build_state.refunds_to_resolve which of its rows to resolve again: those of whose order, or of whose
customer's orders, something was replaced. Whom a refund concerns, before and after, is logged as changed from its day on.
-#}
{% macro note_refunds_to_resolve() %}
{%- if follows_changes() %}
insert into build_state.refunds_to_resolve (order_line_key)
select refunds.order_line_key
from {{ this }} as refunds
where
    refunds.order_line_key not in (select order_line_key from build_state.refunds_to_resolve)
    and (
        (refunds.business_unit, refunds.business_date) in (select business_unit, business_date from {{ touched_days() }} as touched)
        or (refunds.business_unit, refunds.order_date) in (select business_unit, business_date from {{ touched_days() }} as touched)
        or refunds.named_customer_id in (
            select customer_id from build_state.customer_changes where {{ is_not_followed_by_this('customer_changes') }}
        )
        or (refunds.business_unit, refunds.refunded_order_id) in (
            select orders.business_unit, orders.order_id
            from {{ ref('fct_orders') }} as orders
            {{ join_touched_days('orders') }}
        )
    );
{{ log_customers_of_refunds() }};
delete from {{ this }}
where (business_unit, business_date) in (select business_unit, business_date from {{ touched_days() }} as touched)
{%- else %}
delete from build_state.refunds_to_resolve
{%- endif %}
{% endmacro %}

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
