{# Fails for each row whose code is not in a list of the data office: data_tests: [{in_list: {arguments: {list: study_domain}}}] #}
{% test in_list(model, column_name, list) %}
select {{ column_name }}
from {{ model }}
where {{ column_name }} is not null
  and {{ column_name }} not in (select code from {{ source('data_office', 'codes') }} where list = '{{ list }}')
{% endtest %}
