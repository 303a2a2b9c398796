{% test well_formed(model, key, complete=[]) %}
{{ config(meta={'description': 'No two rows share a key, and nothing that must be there is missing.'}) }}

select
    {{ key | join(', ') }},
    count(*) as row_count
from {{ model }}
group by {{ key | join(', ') }}
having
    count(*) > 1
    or count(*) > count({{ (key + complete) | join(') or count(*) > count(') }})

{% endtest %}
