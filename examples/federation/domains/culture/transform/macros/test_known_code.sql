{# A code stands in a list of the data office. #}
{% test known_code(model, column_name, list) %}
select {{ column_name }}
from {{ model }}
where {{ column_name }} is not null
  and {{ column_name }} not in (select code from {{ source('data_office', 'codes') }} where "list" = '{{ list }}')
{% endtest %}
