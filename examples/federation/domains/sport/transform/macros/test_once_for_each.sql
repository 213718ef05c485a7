{# A value occurs once for each value of another column: a month once for each hall. #}
{% test once_for_each(model, column_name, other) %}
select {{ column_name }}, {{ other }}, count(*) as times
from {{ model }}
group by all
having count(*) > 1
{% endtest %}
