{% test unique_combination(model, columns) %}
{{ config(meta={'description': 'No two rows share the values of these columns.'}) }}

select
    {{ columns | join(', ') }},
    count(*) as row_count
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1

{% endtest %}
